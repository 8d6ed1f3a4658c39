// Products of bfloat16s, the upper halves of fp32: both factors rounded, sums
// in fp32.
//
// Rounding changes a factor by at most 2^-8 of it, a product by 2^-7. A product
// of two bf16 is exact in fp32, so all else is the order of the sum. Tables
// round alike, bit for bit, and add pair by rising pair of inputs, of a pair
// the second first, as vdpbf16ps does; AMX's tiles add even and odd inputs
// apart, 32 inputs at a time. Two orders differ by at most 2 K 2^-24 times the
// sum of magnitudes, and by K 2^-125, since the instructions take what is below
// 2^-126 for 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "quaver/kernels/dense.h"

namespace quaver {

// Outputs of a panel; inputs are padded to whole cache lines.
inline constexpr size_t kBf16Columns = 32;
inline constexpr size_t kBf16Inputs = 32;
// Rows that `gemm` may read, and not use, beyond the last one of its inputs.
inline constexpr size_t kBf16SpareRows = 15;

constexpr size_t Bf16Columns(size_t N) {
  return (N + kBf16Columns - 1) / kBf16Columns * kBf16Columns;
}

constexpr size_t Bf16Stride(size_t K) {
  return (K + kBf16Inputs - 1) / kBf16Inputs * kBf16Inputs;
}

// A weight as every table reads it, 64-aligned. Points to what somebody else
// owns.
struct Bf16Weight {
  const uint16_t* halves = nullptr;  // [N' / 32, K' / 2, 32, 2], padded by 0
  const float* bias = nullptr;       // [N'], N' = N rounded up to kBf16Columns
  size_t N = 0;
  size_t K = 0;
};

// What a Bf16Weight points to.
struct Bf16Pack {
  std::vector<uint16_t> halves;
  std::vector<float> bias;
};

// O(N K).
Bf16Pack PackBf16(const float* weight,  // [N, K]
                  const float* bias,    // [N]
                  size_t N, size_t K);

// y = epilogue(x W^T + b); `y` may be `residual`, and `stride` floats lie
// between the beginnings of their rows. kBiasGelu is dense.h's. Outputs from a
// multiple of kBf16Columns on are a product of their own, with the same values.
using Bf16Gemm =
    void (*)(const uint16_t* rows,  // [M + kBf16SpareRows, Bf16Stride(K)]
             const Bf16Weight& weight,
             const float* residual,  // [M, N] or null
             size_t M, Epilogue epilogue, float* y, size_t stride);  // [M, N]

// A way to compute `gemm`.
struct Bf16Tactic {
  const char* name;  // of one way on all tables: "avx512.far"
  Bf16Gemm gemm;
};

// Thread-safe, allocate nothing. A row does not depend on the others of a call.
struct Bf16Kernels {
  // To the nearest, of two the even one; what is below 2^-126 to 0 of its sign,
  // what is no number to a quiet one.
  void (*round)(const float* x,  // [M, K]
                size_t M, size_t K,
                uint16_t* rows);  // [M, Bf16Stride(K)], 64-aligned, 0 beyond K
  Bf16Gemm gemm;
  // `gemm` first, then others that give the same bits; null after the last.
  Bf16Tactic tactics[kMaxTactics];
};

}  // namespace quaver
