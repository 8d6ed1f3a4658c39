// Products of bytes: unsigned activations, signed weights, exact sums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "quaver/kernels/dense.h"

namespace quaver {

// Outputs of a panel; inputs are padded to whole cache lines.
inline constexpr size_t kInt8Columns = 32;
inline constexpr size_t kInt8Inputs = 64;
// Beyond this many inputs a sum may leave 32 bits: 255 * 127 * K < 2^31.
inline constexpr size_t kInt8MaxInputs = size_t{1} << 16;
// Rows that `gemm` may read, and not use, beyond the last one of its codes.
inline constexpr size_t kInt8SpareRows = 15;

constexpr size_t Int8Columns(size_t N) {
  return (N + kInt8Columns - 1) / kInt8Columns * kInt8Columns;
}

constexpr size_t Int8Stride(size_t K) {
  return (K + kInt8Inputs - 1) / kInt8Inputs * kInt8Inputs;
}

// A quantised row: x[k] is about scale * codes[k] + offset, within scale / 2.
struct Int8Row {
  float scale;
  float offset;
};

// That spreads the codes from `low` to `high`. REQUIRES: low <= 0 <= high.
Int8Row Int8RowOf(float low, float high);

// A weight as every table reads it, 64-aligned: w[n][k] is about
// scales[n] * code, within scales[n] / 2. Points to what somebody else owns.
struct Int8Weight {
  const int8_t* codes = nullptr;  // [N' / 32, K' / 4, 32, 4], 0 in the padding
  const float* scales = nullptr;  // [N'], N' = N rounded up to kInt8Columns
  const float* sums = nullptr;    // [N'], scale times the sum of the codes
  const float* bias = nullptr;    // [N']
  size_t N = 0;
  size_t K = 0;
};

// What an Int8Weight points to.
struct Int8Pack {
  std::vector<int8_t> codes;
  std::vector<float> scales, sums, bias;
};

// Symmetric, in [-127, 127], each output's greatest weight at the end of the
// range. O(N K). REQUIRES: finite values, K <= kInt8MaxInputs.
Int8Pack PackInt8(const float* weight,  // [N, K]
                  const float* bias,    // [N]
                  size_t N, size_t K);

// y = epilogue(x W^T + b); `y` may be `residual`, and `stride` floats lie
// between the beginnings of their rows. Here kBiasGelu is a polynomial within
// 1e-4 of gelu, a tenth of what bytes can tell apart.
using Int8Gemm =
    void (*)(const uint8_t* codes,  // [M + kInt8SpareRows, Int8Stride(K)]
             const Int8Row* rows,   // [M]
             const Int8Weight& weight,
             const float* residual,  // [M, N] or null
             size_t M, Epilogue epilogue, float* y, size_t stride);  // [M, N]

// A way to compute `gemm`.
struct Int8Tactic {
  const char* name;  // of one way on all tables: "avx512_vnni.far"
  Int8Gemm gemm;
};

// Thread-safe, allocate nothing. Equal bit for bit on every table: sums are
// exact, and what is done to them is the same sequence of fp32 operations.
struct Int8Kernels {
  // Quantises each row between its least and greatest value and 0.
  void (*quantise)(const float* x,  // [M, K]
                   size_t M, size_t K,
                   uint8_t* codes,  // [M, Int8Stride(K)], 64-aligned
                   Int8Row* rows);  // [M]
  // Quantises each row as `row` says, an Int8RowOf(); values beyond its ends
  // get the code of the nearest, what is no number that of the low end.
  void (*quantise_with)(Int8Row row, const float* x, size_t M, size_t K,
                        uint8_t* codes, Int8Row* rows);
  Int8Gemm gemm;
  // `gemm` first, then others that give the same bits; null after the last.
  Int8Tactic tactics[kMaxTactics];
};

}  // namespace quaver
