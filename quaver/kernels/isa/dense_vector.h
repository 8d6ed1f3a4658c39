// The dense kernels over one vector type, for dense_avx2.cc and
// dense_avx512.cc: the includer defines Vec, kTileRows and the names
// of its two ways to compute products beforehand.
//
// Everything here is unnamed, so each includer compiles its own.
#pragma once

#include <cstddef>
#include <cstdint>

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

Float MeanOf(const float* x, size_t D) {
  Float sum = Vec::Zero();
  for (size_t i = 0; i < D; i += kLanes) {
    sum = Vec::Add(sum, Vec::LoadPart(x + i, D - i));
  }
  return Vec::Set(Vec::Sum(sum) * (1.0f / static_cast<float>(D)));
}

Float VarianceOf(const float* x, size_t D, Float mean) {
  Float squares = Vec::Zero();
  for (size_t i = 0; i < D; i += kLanes) {
    const Float difference = Vec::Sub(Vec::LoadPart(x + i, D - i), mean);
    const Float kept = Vec::FirstLanes(difference, D - i);
    squares = Vec::MulAdd(kept, kept, squares);
  }
  return Vec::Set(Vec::Sum(squares) * (1.0f / static_cast<float>(D)));
}

// Each sum is a long chain, so those of some rows go before what needs them.
void LayerNorm(const float* x, const float* weight, const float* bias, size_t M,
               size_t D, float epsilon, float* y) {
  constexpr size_t kRows = 4;
  for (size_t begin = 0; begin < M; begin += kRows) {
    const size_t count = M - begin < kRows ? M - begin : kRows;
    Float means[kRows], scales[kRows];
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
      for (size_t i = 0; i < D; i += kLanes) {
        const Float difference =
            Vec::Sub(Vec::LoadPart(from + i, D - i), means[r]);
        const Float scaled = Vec::Mul(Vec::Mul(difference, scales[r]),
                                      Vec::LoadPart(weight + i, D - i));
        Vec::StorePart(to + i, D - i,
                       Vec::Add(scaled, Vec::LoadPart(bias + i, D - i)));
      }
    }
  }
}

// Softmax of `scale` times the row, in place. Lane by lane over the keys.
void Softmax(float* scores, size_t T, Float scale) {
  Float max = Vec::Set(scores[0]);
  for (size_t t = 0; t < T; t += kLanes) {
    const Float part = Vec::LoadPart(scores + t, T - t);
    const Float padding = Vec::Sub(max, Vec::FirstLanes(max, T - t));
    max = Vec::Max(max, Vec::Add(part, padding));
  }
  max = Vec::Set(Vec::MaxOf(max));
  Float sum = Vec::Zero();
  for (size_t t = 0; t < T; t += kLanes) {
    const Float part = Vec::Sub(Vec::LoadPart(scores + t, T - t), max);
    const Float power = ExpOfNegative(Vec::Mul(part, scale));
    Vec::StorePart(scores + t, T - t, power);
    sum = Vec::Add(sum, Vec::FirstLanes(power, T - t));
  }
  const Float inverse = Vec::Div(Vec::Set(1.0f), Vec::Set(Vec::Sum(sum)));
  for (size_t t = 0; t < T; t += kLanes) {
    const Float part = Vec::LoadPart(scores + t, T - t);
    Vec::StorePart(scores + t, T - t, Vec::Mul(part, inverse));
  }
}

// Copies a head's values, [T, head_width] with a stride, into panels.
void PackValues(const float* values, size_t stride, size_t T, size_t head_width,
                float* packed) {
  for (size_t column = 0; column < head_width; column += kColumns) {
    for (size_t t = 0; t < T; ++t, packed += kColumns) {
      const float* row = values + t * stride + column;
      const size_t count = head_width - column;
      Vec::Store(packed, Vec::LoadPart(row, count));
      Vec::Store(packed + kLanes,
                 count > kLanes ? Vec::LoadPart(row + kLanes, count - kLanes)
                                : Vec::Zero());
    }
  }
}

// Scratch holds the packed keys, the packed values and a tile of scores.
size_t AttentionScratch(size_t T, size_t H, size_t D) {
  const size_t head_width = D / H;
  return PackedSize(T, head_width) + PackedSize(head_width, T) +
         kTileRows * RoundUp(T, kLanes);
}

void AttendHead(const float* query, size_t T, size_t head_width, size_t D,
                float* scratch, float* out) {
  const size_t stride = 3 * D;
  float* keys = scratch;
  float* values = keys + PackedSize(T, head_width);
  float* scores = values + PackedSize(head_width, T);
  const size_t scores_stride = RoundUp(T, kLanes);
  PackStrided(query + D, stride, T, head_width, keys);
  PackValues(query + 2 * D, stride, T, head_width, values);
  const Float scale = Vec::Div(
      Vec::Set(1.0f), Vec::Sqrt(Vec::Set(static_cast<float>(head_width))));
  for (size_t row = 0; row < T; row += kTileRows) {
    const size_t M = T - row < kTileRows ? T - row : kTileRows;
    Multiply({query + row * stride, stride, keys, nullptr, nullptr, M, T,
              head_width, Epilogue::kBias, scores, scores_stride});
    for (size_t m = 0; m < M; ++m) {
      Softmax(scores + m * scores_stride, T, scale);
    }
    Multiply({scores, scores_stride, values, nullptr, nullptr, M, head_width, T,
              Epilogue::kBias, out + row * D, D});
  }
}

void Attention(const float* qkv, size_t T, size_t H, size_t D, size_t begin,
               size_t end, float* scratch, float* out) {
  const size_t head_width = D / H;
  for (size_t head = begin; head < end; ++head) {
    AttendHead(qkv + head * head_width, T, head_width, D, scratch,
               out + head * head_width);
  }
}

// A lane for each of some heads, for every key.
size_t AttendRowScratch(size_t N) { return N * kLanes; }

// What follows is compiled for heads of kVectors vectors, 0 for any other
// width.
template <size_t kVectors>
Float HeadProduct(const float* query, const float* key, size_t head_width) {
  Float sum = Vec::Zero();
  if constexpr (kVectors > 0) {
    QUAVER_UNROLL
    for (size_t v = 0; v < kVectors; ++v) {
      sum = Vec::MulAdd(Vec::Load(query + v * kLanes),
                        Vec::Load(key + v * kLanes), sum);
    }
    return sum;
  }
  for (size_t i = 0; i < head_width; i += kLanes) {
    sum = Vec::MulAdd(Vec::LoadPart(query + i, head_width - i),
                      Vec::LoadPart(key + i, head_width - i), sum);
  }
  return sum;
}

// The sum of N rows of values, each times its score.
template <size_t kVectors, typename Place>
void AddValues(const float* scores, const float* values, const Place& place,
               size_t N, size_t head_width, float* out) {
  if constexpr (kVectors > 0) {
    Float sums[kVectors];
    QUAVER_UNROLL
    for (size_t v = 0; v < kVectors; ++v) sums[v] = Vec::Zero();
    for (size_t n = 0; n < N; ++n) {
      const Float score = Vec::Set(scores[n * kLanes]);
      const float* value = values + place(n);
      QUAVER_UNROLL
      for (size_t v = 0; v < kVectors; ++v) {
        sums[v] = Vec::MulAdd(score, Vec::Load(value + v * kLanes), sums[v]);
      }
    }
    QUAVER_UNROLL
    for (size_t v = 0; v < kVectors; ++v) Vec::Store(out + v * kLanes, sums[v]);
    return;
  }
  for (size_t i = 0; i < head_width; i += kLanes) {
    Float sum = Vec::Zero();
    for (size_t n = 0; n < N; ++n) {
      sum = Vec::MulAdd(Vec::Set(scores[n * kLanes]),
                        Vec::LoadPart(values + place(n) + i, head_width - i),
                        sum);
    }
    Vec::StorePart(out + i, head_width - i, sum);
  }
}

// Softmax over N keys of `scale` times the scores, each lane by itself.
void SoftmaxOfLanes(float* scores, size_t N, Float scale) {
  Float max = Vec::Load(scores);
  for (size_t n = 1; n < N; ++n) {
    max = Vec::Max(max, Vec::Load(scores + n * kLanes));
  }
  Float sum = Vec::Zero();
  for (size_t n = 0; n < N; ++n) {
    const Float part = Vec::Sub(Vec::Load(scores + n * kLanes), max);
    const Float power = ExpOfNegative(Vec::Mul(part, scale));
    Vec::Store(scores + n * kLanes, power);
    sum = Vec::Add(sum, power);
  }
  const Float inverse = Vec::Div(Vec::Set(1.0f), sum);
  for (size_t n = 0; n < N; ++n) {
    Vec::Store(scores + n * kLanes,
               Vec::Mul(Vec::Load(scores + n * kLanes), inverse));
  }
}

template <size_t kVectors>
void AttendHeads(const float* query, const float* keys, const float* values,
                 size_t stride, const uint32_t* rows, size_t N,
                 size_t num_heads, size_t head_width, float* scratch,
                 float* out) {
  const auto place = [&](size_t n) {
    return (rows == nullptr ? n : rows[n]) * stride;
  };
  for (size_t n = 0; n < N; ++n) {
    const float* key = keys + place(n);
    Float parts[kLanes];
    for (size_t h = 0; h < num_heads; ++h) {
      parts[h] = HeadProduct<kVectors>(query + h * head_width,
                                       key + h * head_width, head_width);
    }
    for (size_t h = num_heads; h < kLanes; ++h) parts[h] = Vec::Zero();
    Vec::Store(scratch + n * kLanes, Vec::SumEach(parts));
  }
  SoftmaxOfLanes(scratch, N,
                 Vec::Div(Vec::Set(1.0f),
                          Vec::Sqrt(Vec::Set(static_cast<float>(head_width)))));
  for (size_t h = 0; h < num_heads; ++h) {
    AddValues<kVectors>(scratch + h, values + h * head_width, place, N,
                        head_width, out + h * head_width);
  }
}

void AttendRow(const float* query, const float* keys, const float* values,
               size_t stride, const uint32_t* rows, size_t N, size_t H,
               size_t D, float* scratch, float* out) {
  const size_t head_width = D / H;
  const auto attend = head_width == 32   ? AttendHeads<32 / kLanes>
                      : head_width == 64 ? AttendHeads<64 / kLanes>
                                         : AttendHeads<0>;
  for (size_t head = 0; head < H; head += kLanes) {
    const size_t begin = head * head_width;
    attend(query + begin, keys + begin, values + begin, stride, rows, N,
           H - head < kLanes ? H - head : kLanes, head_width, scratch,
           out + begin);
  }
}

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
                                 AttentionScratch,
                                 Attention,
                                 AttendRowScratch,
                                 AttendRow,
                                 Summarise,
                                 {{kName, Gemm}, {kFarName, GemmFar}}};

}  // namespace
}  // namespace quaver
