// The dense kernels over one vector type, for dense_avx2.cc and
// dense_avx512.cc: the includer defines Vec, Bytes, kTileRows and the names
// of its two ways to compute products beforehand.
//
// Everything here is unnamed, so each includer compiles its own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quaver/kernels/isa/codes_vector.h"
#include "quaver/kernels/isa/gelu_vector.h"
#include "quaver/kernels/isa/tables.h"

#if defined(__clang__)
#define QUAVER_UNROLL _Pragma("unroll")
#else
#define QUAVER_UNROLL _Pragma("GCC unroll 16")
#endif

namespace quaver {
namespace {

using Float = Vec::Float;
constexpr size_t kLanes = Vec::kLanes;
// A panel is two vectors of outputs wide: [K, kColumns], zero-padded.
constexpr size_t kColumns = 2 * kLanes;
// Floats the prefetch runs ahead of the products: at 11 rows 2 KiB are about
// 350 cycles, the latency of memory. Fewer rows pass over a weight faster.
constexpr size_t kAhead = 2048 / sizeof(float), kFarAhead = 4 * kAhead;

constexpr size_t RoundUp(size_t count, size_t multiple) {
  return (count + multiple - 1) / multiple * multiple;
}

// e^x for x <= 0: 2^n e^r with |r| <= ln 2 / 2 and a minimax polynomial of
// relative error 3e-9. Below -87 the result is e^-87, about 1e-38.
Float ExpOfNegative(Float x) {
  x = Vec::Max(x, Vec::Set(-87.0f));
  const Float n = Vec::Round(Vec::Mul(x, Vec::Set(1.44269504f)));
  // ln 2 in two parts: the first has few enough bits to be exact times n.
  Float r = Vec::MulAdd(n, Vec::Set(-0.693359375f), x);
  r = Vec::MulAdd(n, Vec::Set(2.12194440e-4f), r);
  Float p = Vec::Set(1.38145984e-03f);
  p = Vec::MulAdd(p, r, Vec::Set(8.3687169e-03f));
  p = Vec::MulAdd(p, r, Vec::Set(4.16683881e-02f));
  p = Vec::MulAdd(p, r, Vec::Set(1.66665206e-01f));
  p = Vec::MulAdd(p, r, Vec::Set(4.99999934e-01f));
  p = Vec::MulAdd(p, r, Vec::Set(1.0f));
  p = Vec::MulAdd(p, r, Vec::Set(1.0f));
  return Vec::TimesPowerOfTwo(p, n);
}

// y = epilogue(x W^T + bias), with strides, so that attention uses it too.
struct Product {
  const float* x;  // [M, K]
  size_t x_stride;
  const float* packed;    // [ceil(N / kColumns), K, kColumns]
  const float* bias;      // [N], or null for none
  const float* residual;  // [M, N] with y's stride, or null
  size_t M, N, K;
  Epilogue epilogue;
  float* y;  // [M, N]
  size_t y_stride;
};

// Adds what the epilogue says to a tile of sums and stores it. Not inlined
// into every Tile: one call a tile costs nothing beside its K products.
[[gnu::noinline]] void Finish(const Product& product, size_t row,
                              size_t num_rows, size_t column,
                              const float* sums) {  // [num_rows, kColumns]
  const size_t panel_end = column + kColumns;
  const size_t end = panel_end < product.N ? panel_end : product.N;
  for (size_t r = row; r < row + num_rows; ++r, sums += kColumns) {
    for (size_t c = column; c < end; c += kLanes) {
      const size_t count = end - c;
      const size_t offset = r * product.y_stride + c;
      Float value = Vec::Load(sums + (c - column));
      if (product.bias != nullptr) {
        value = Vec::Add(value, Vec::LoadPart(product.bias + c, count));
      }
      if (product.epilogue == Epilogue::kBiasGelu) value = Gelu(value);
      if (product.epilogue == Epilogue::kBiasResidual) {
        value =
            Vec::Add(value, Vec::LoadPart(product.residual + offset, count));
      }
      Vec::StorePart(product.y + offset, count, value);
    }
  }
}

// `Rows` rows from `row` on times one panel, of which `Vectors` have outputs.
// One accumulator an output, k rising: the result does not depend on Rows.
template <size_t Ahead, int Vectors, int Rows>
void Tile(const Product& product, size_t row, size_t column) {
  const size_t K = product.K;
  const float* panel = product.packed + column * K;
  const float* x = product.x + row * product.x_stride;
  // The outputs' lines arrive while the products run: 5 to 8 % of the time
  // of 256 rows, whose outputs do not fit the second-level cache.
  const float* y = product.y + row * product.y_stride + column;
  for (int r = 0; r < Rows; ++r) {
    Vec::Prefetch(y + r * product.y_stride);
    Vec::Prefetch(y + r * product.y_stride + kLanes);
  }
  Float sums[Rows][2];
  QUAVER_UNROLL
  for (int r = 0; r < Rows; ++r) sums[r][0] = sums[r][1] = Vec::Zero();
  for (size_t k = 0; k < K; ++k, panel += kColumns) {
    Vec::Prefetch(panel + Ahead);
    if (kLanes == 16) Vec::Prefetch(panel + Ahead + kLanes);
    const Float w0 = Vec::Load(panel);
    const Float w1 = Vec::Load(panel + kLanes);
    QUAVER_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const Float value = Vec::Set(x[r * product.x_stride + k]);
      sums[r][0] = Vec::MulAdd(value, w0, sums[r][0]);
      if (Vectors == 2) sums[r][1] = Vec::MulAdd(value, w1, sums[r][1]);
    }
  }
  alignas(64) float stored[Rows * kColumns];
  QUAVER_UNROLL
  for (int r = 0; r < Rows; ++r) {
    Vec::Store(stored + r * kColumns, sums[r][0]);
    Vec::Store(stored + r * kColumns + kLanes, sums[r][1]);
  }
  Finish(product, row, Rows, column, stored);
}

using TileFunction = void (*)(const Product&, size_t row, size_t column);

template <size_t Ahead, int Vectors, int... Rows>
struct TileList {
  static constexpr TileFunction kTiles[] = {Tile<Ahead, Vectors, Rows + 1>...};
};
template <size_t Ahead, int Vectors, int Count, int... Rows>
struct MakeTiles : MakeTiles<Ahead, Vectors, Count - 1, Count - 1, Rows...> {};
template <size_t Ahead, int Vectors, int... Rows>
struct MakeTiles<Ahead, Vectors, 0, Rows...>
    : TileList<Ahead, Vectors, Rows...> {};

// Panels outside, rows inside: a panel (K * kColumns floats, 48 to 192 KiB)
// comes from memory once and then from the second-level cache.
template <size_t Ahead = kAhead>
void Multiply(const Product& product) {
  const size_t M = product.M;
  const size_t num_blocks = (M + kTileRows - 1) / kTileRows;
  for (size_t column = 0; column < product.N; column += kColumns) {
    const auto& tiles = product.N - column > kLanes
                            ? MakeTiles<Ahead, 2, kTileRows>::kTiles
                            : MakeTiles<Ahead, 1, kTileRows>::kTiles;
    for (size_t block = 0; block < num_blocks; ++block) {
      const size_t begin = M * block / num_blocks;  // even shares
      const size_t end = M * (block + 1) / num_blocks;
      tiles[end - begin - 1](product, begin, column);
    }
  }
}

size_t PackedSize(size_t N, size_t K) { return RoundUp(N, kColumns) * K; }

void PackStrided(const float* weight, size_t stride, size_t N, size_t K,
                 float* packed) {
  for (size_t begin = 0; begin < RoundUp(N, kColumns); begin += kLanes) {
    const size_t count = N > begin ? N - begin : 0;
    float* panel = packed + begin / kColumns * kColumns * K + begin % kColumns;
    for (size_t k = 0; k < K; k += kLanes) {
      Float rows[kLanes];
      QUAVER_UNROLL
      for (size_t r = 0; r < kLanes; ++r) {
        rows[r] = r < count
                      ? Vec::LoadPart(weight + (begin + r) * stride + k, K - k)
                      : Vec::Zero();
      }
      if (count > 0) Vec::Transpose(rows);
      const size_t end = K - k < kLanes ? K - k : kLanes;
      for (size_t i = 0; i < end; ++i) {
        Vec::Store(panel + (k + i) * kColumns, rows[i]);
      }
    }
  }
}

void Pack(const float* weight, size_t N, size_t K, float* packed) {
  PackStrided(weight, K, N, K, packed);
}

template <size_t Ahead>
void GemmAhead(const float* x, const float* packed, const float* bias,
               const float* residual, size_t M, size_t N, size_t K,
               Epilogue epilogue, float* y, size_t stride) {
  Multiply<Ahead>({x, K, packed, bias, residual, M, N, K, epilogue, y, stride});
}
constexpr DenseGemm Gemm = GemmAhead<kAhead>;
constexpr DenseGemm GemmFar = GemmAhead<kFarAhead>;

[[gnu::always_inline]] inline Float MeanOf(const float* x, size_t D) {
  Float sum = Vec::Zero();
  for (size_t i = 0; i < D; i += kLanes) {
    sum = Vec::Add(sum, Vec::LoadPart(x + i, D - i));
  }
  return Vec::Set(Vec::Sum(sum) * (1.0f / static_cast<float>(D)));
}

[[gnu::always_inline]] inline Float VarianceOf(const float* x, size_t D,
                                               Float mean) {
  Float squares = Vec::Zero();
  for (size_t i = 0; i < D; i += kLanes) {
    const Float difference = Vec::Sub(Vec::LoadPart(x + i, D - i), mean);
    const Float kept = Vec::FirstLanes(difference, D - i);
    squares = Vec::MulAdd(kept, kept, squares);
  }
  return Vec::Set(Vec::Sum(squares) * (1.0f / static_cast<float>(D)));
}

// Where the codes of normalised rows go, if they are wanted.
struct NormCodes {
  const Int8Row* fixed;  // or null: as each row's ends say
  uint8_t* codes;        // [M, Int8Stride(D)], or null: not wanted
  Int8Row* rows;         // [M]
};

void StoreNormCodes(const NormCodes& to, size_t m, const float* row, size_t D,
                    Float least, Float greatest) {
  uint8_t* codes = to.codes + m * Int8Stride(D);
  if (to.fixed == nullptr) {
    StoreCodes(row, D, MapBetween(least, greatest, to.rows + m), codes);
    return;
  }
  to.rows[m] = *to.fixed;
  StoreHeldCodes(row, D, MapOf(*to.fixed), codes);
}

// Each sum is a long chain, so those of some rows go before what needs them.
template <bool kWithCodes>
void NormaliseRows(const float* x, const float* weight, const float* bias,
                   size_t M, size_t D, float epsilon, float* y,
                   const NormCodes& codes) {
  constexpr size_t kRows = 4;
  for (size_t begin = 0; begin < M; begin += kRows) {
    const size_t count = M - begin < kRows ? M - begin : kRows;
    Float means[kRows], scales[kRows], least[kRows], greatest[kRows];
    for (size_t r = 0; r < count; ++r) {
      means[r] = MeanOf(x + (begin + r) * D, D);
    }
    for (size_t r = 0; r < count; ++r) {
      const Float variance = VarianceOf(x + (begin + r) * D, D, means[r]);
      scales[r] = Vec::Div(Vec::Set(1.0f),
                           Vec::Sqrt(Vec::Add(variance, Vec::Set(epsilon))));
    }
    for (size_t r = 0; r < count; ++r) {
      const float* from = x + (begin + r) * D;
      float* to = y + (begin + r) * D;
      Float low = Vec::Zero(), high = Vec::Zero();
      for (size_t i = 0; i < D; i += kLanes) {
        const Float difference =
            Vec::Sub(Vec::LoadPart(from + i, D - i), means[r]);
        const Float value = Vec::MulAdd(Vec::Mul(difference, scales[r]),
                                        Vec::LoadPart(weight + i, D - i),
                                        Vec::LoadPart(bias + i, D - i));
        Vec::StorePart(to + i, D - i, value);
        if (kWithCodes) {
          const Float kept = Vec::FirstLanes(value, D - i);
          low = Vec::Min(low, kept);
          high = Vec::Max(high, kept);
        }
      }
      least[r] = low;
      greatest[r] = high;
    }
    for (size_t r = 0; kWithCodes && r < count; ++r) {
      StoreNormCodes(codes, begin + r, y + (begin + r) * D, D, least[r],
                     greatest[r]);
    }
  }
}

void LayerNorm(const float* x, const float* weight, const float* bias, size_t M,
               size_t D, float epsilon, float* y) {
  NormaliseRows<false>(x, weight, bias, M, D, epsilon, y, {});
}

void LayerNormCodes(const float* x, const float* weight, const float* bias,
                    size_t M, size_t D, float epsilon, float* y,
                    const Int8Row* fixed, uint8_t* codes, Int8Row* rows) {
  NormaliseRows<true>(x, weight, bias, M, D, epsilon, y, {fixed, codes, rows});
}

}  // namespace
}  // namespace quaver

#include "quaver/kernels/isa/attention_vector.h"

namespace quaver {
namespace {

constexpr float kNever = -__builtin_huge_valf();

// The values from x[i] on, minus infinity beyond N.
Float LoadOrNever(const float* x, size_t i, size_t N) {
  if (N - i >= kLanes) return Vec::Load(x + i);
  alignas(64) float part[kLanes];
  for (size_t lane = 0; lane < kLanes; ++lane) {
    part[lane] = i + lane < N ? x[i + lane] : kNever;
  }
  return Vec::Load(part);
}

// Behind what is as great: the caller goes by rising index.
void Insert(float value, size_t index, RowSummary* row) {
  size_t rank = RowSummary::kCount;
  while (rank > 0 && value > row->greatest[rank - 1]) --rank;
  if (rank == RowSummary::kCount) return;
  for (size_t r = RowSummary::kCount - 1; r > rank; --r) {
    row->greatest[r] = row->greatest[r - 1];
    row->index[r] = row->index[r - 1];
  }
  row->greatest[rank] = value;
  row->index[rank] = static_cast<uint32_t>(index);
}

// Each lane's three greatest hold the row's three greatest; where these lie is
// seen while the powers are summed.
RowSummary Summarise(const float* x, size_t N) {
  static_assert(RowSummary::kCount == 3);
  constexpr size_t kSummed = 1024;
  Float first = Vec::Set(kNever), second = first, third = first;
  for (size_t i = 0; i < N; i += kLanes) {
    const Float value = LoadOrNever(x, i, N);
    const Float below_first = Vec::Min(first, value);
    first = Vec::Max(first, value);
    const Float below_second = Vec::Min(second, below_first);
    second = Vec::Max(second, below_first);
    third = Vec::Max(third, below_second);
  }
  alignas(64) float lanes[3 * kLanes];
  Vec::Store(lanes, first);
  Vec::Store(lanes + kLanes, second);
  Vec::Store(lanes + 2 * kLanes, third);
  constexpr RowSummary kNothing = {{kNever, kNever, kNever}, {0, 0, 0}, 0};
  RowSummary row = kNothing;
  for (const float value : lanes) Insert(value, 0, &row);
  const Float greatest = Vec::Set(row.greatest[0]);
  const Float least = Vec::Set(row.greatest[2]);
  row = kNothing;
  Float sum = Vec::Zero(), part = Vec::Zero();  // a long sum loses digits
  for (size_t i = 0; i < N; i += kLanes) {
    if (i % kSummed == 0) {
      sum = Vec::Add(sum, part);
      part = Vec::Zero();
    }
    const Float value = LoadOrNever(x, i, N);
    part = Vec::Add(part, ExpOfNegative(Vec::Sub(value, greatest)));
    if (!Vec::AnyAtLeast(value, least)) continue;
    const size_t end = N - i < kLanes ? N : i + kLanes;
    for (size_t n = i; n < end; ++n) Insert(x[n], n, &row);
  }
  row.sum = Vec::Sum(Vec::Add(sum, part));
  return row;
}

constexpr DenseKernels kTable = {kColumns,
                                 PackedSize,
                                 Pack,
                                 Gemm,
                                 LayerNorm,
                                 LayerNormCodes,
                                 AttentionScratch,
                                 Attention,
                                 AttendRowScratch,
                                 AttendRow,
                                 Summarise,
                                 {{kName, Gemm}, {kFarName, GemmFar}}};

}  // namespace
}  // namespace quaver
