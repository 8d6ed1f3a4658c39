// Kernels of the transformer: products, attention, norms, activations.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quaver {

struct Int8Row;  // int8.h

// What a product does to its result before storing it.
enum class Epilogue {
  kBias,          // y = x W^T + b
  kBiasGelu,      // y = gelu(x W^T + b), the exact erf form
  kBiasResidual,  // y = x W^T + b + residual
};

// The greatest values of a row, and what its softmax divides by: the logarithm
// of value x's probability is x - greatest[0] - log(sum).
struct RowSummary {
  static constexpr size_t kCount = 3;
  // Greatest first, of equal ones the first; minus infinity and 0 where there
  // are fewer.
  float greatest[kCount];
  uint32_t index[kCount];
  float sum;  // of e^(x - greatest[0])
};

// The most ways that a table knows to compute a product.
inline constexpr size_t kMaxTactics = 6;

// y = epilogue(x W^T + b); `y` may be `residual`; `stride` floats lie between
// the beginnings of their rows. Outputs from a multiple of panel_columns on are
// a product of their own, with the same values. Reads each packed weight from
// memory once when M is at most some hundreds.
using DenseGemm =
    void (*)(const float* x,                          // [M, K], row stride K
             const float* packed, const float* bias,  // [N]
             const float* residual,  // [M, N], row stride `stride`, or null
             size_t M, size_t N, size_t K, Epilogue epilogue, float* y,
             size_t stride);  // [M, N], row stride `stride`

// A way to compute `gemm`.
struct DenseTactic {
  const char* name;  // of one way on all tables: "avx512.far"
  DenseGemm gemm;
};

// M rows, N outputs, K inputs, D model width, H heads, T tokens of a sequence.
// Weights are packed once by `pack` for the table that reads them. Every sum
// runs over K (or the keys, or D) in one fixed order; rows do not influence
// each other. Thread-safe, allocate nothing. Outputs do not overlap inputs
// but where it says so.
struct DenseKernels {
  // A packed weight is [N' / columns, K, columns], N' = N rounded up, zero in
  // the padding.
  size_t panel_columns;
  // Floats a packed [N, K] weight takes.
  size_t (*packed_size)(size_t N, size_t K);
  // Packs a row-major weight, PyTorch's Linear layout. `packed` is 64-aligned.
  void (*pack)(const float* weight,  // [N, K]
               size_t N, size_t K, float* packed);
  DenseGemm gemm;
  // y = layer norm of x over D with weight and bias; `y` may be `x`.
  void (*layer_norm)(const float* x, const float* weight, const float* bias,
                     size_t M, size_t D, float epsilon, float* y);
  // The same in one pass with what Int8Kernels makes of y: quantise, or
  // quantise_with(*fixed) where `fixed` is not null; the same bits.
  void (*layer_norm_codes)(const float* x, const float* weight,
                           const float* bias, size_t M, size_t D, float epsilon,
                           float* y, const Int8Row* fixed,
                           uint8_t* codes,  // [M, Int8Stride(D)], 64-aligned
                           Int8Row* rows);  // [M]
  // Floats of scratch that `attention` takes.
  size_t (*attention_scratch)(size_t T, size_t H, size_t D);
  // Softmax attention of one sequence, scores scaled by 1 / sqrt(D / H); qkv
  // rows hold query, key, value after each other. Computes the heads
  // [begin, end) and their columns of `out`. `scratch` is 64-aligned.
  void (*attention)(const float* qkv,  // [T, 3 * D]
                    size_t T, size_t H, size_t D, size_t begin, size_t end,
                    float* scratch,
                    float* out);  // [T, D]
  // Floats of scratch that `attend_row` takes for N keys.
  size_t (*attend_row_scratch)(size_t N);
  // Softmax attention of one query row to N rows of keys and values, scores
  // scaled by 1 / sqrt(D / H). Key i is row rows[i] of `keys`, or row i where
  // `rows` is null. The result depends on the values and their order only, not
  // on where they lie. REQUIRES: N > 0.
  void (*attend_row)(const float* query,                      // [D]
                     const float* keys, const float* values,  // [., stride]
                     size_t stride, const uint32_t* rows,     // [N]
                     size_t N, size_t H, size_t D, float* scratch,
                     float* out);  // [D]
  // Values may be minus infinity; what is not a number is never a greatest.
  RowSummary (*summarise)(const float* x, size_t N);
  // `gemm` first, then others that give the same bits; null after the last.
  DenseTactic tactics[kMaxTactics];
};

}  // namespace quaver
