// The int8 kernels over one vector type, for the int8_*.cc: the includer
// defines Vec, Bytes and kTileRows beforehand.
//
// Everything here is unnamed, so each includer compiles its own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quaver/kernels/isa/int8_gelu.h"
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
// A tile is two vectors of outputs wide: a panel or half of one.
constexpr size_t kColumns = 2 * kLanes;
constexpr size_t kPanelStep = 4 * kInt8Columns;  // bytes of four inputs
constexpr size_t kPrefetchBytesAhead = 2048;

Float Gelu(Float x) {
  constexpr size_t kCount = sizeof(kGeluTerms) / sizeof(float);
  const Float limit = Vec::Set(kGeluLimit);
  const Float z = Vec::Max(Vec::Min(x, limit), Vec::Sub(Vec::Zero(), limit));
  const Float t = Vec::Mul(z, z);
  Float p = Vec::Set(kGeluTerms[kCount - 1]);
  QUAVER_UNROLL
  for (size_t i = kCount - 1; i > 0; --i) {
    p = Vec::MulAdd(p, t, Vec::Set(kGeluTerms[i - 1]));
  }
  return Vec::Mul(x, Vec::MulAdd(z, p, Vec::Set(0.5f)));
}

void Quantise(const float* x, size_t M, size_t K, uint8_t* codes,
              Int8Row* rows) {
  const size_t stride = Int8Stride(K);
  for (size_t m = 0; m < M; ++m, x += K, codes += stride) {
    Float least = Vec::Zero(), greatest = Vec::Zero();
    for (size_t k = 0; k < K; k += kLanes) {
      const Float value = Vec::LoadPart(x + k, K - k);
      least = Vec::Min(least, value);
      greatest = Vec::Max(greatest, value);
    }
    const float low = -Vec::MaxOf(Vec::Sub(Vec::Zero(), least));
    const float range = Vec::MaxOf(greatest) - low;
    const float inverse = range > kInt8LeastRange ? 255 / range : 0;
    const int zero = Bytes::Round(-low * inverse);
    rows[m].scale = range > kInt8LeastRange ? range / 255 : 0;
    rows[m].offset = -rows[m].scale * static_cast<float>(zero);
    const Float factor = Vec::Set(inverse);
    for (size_t k = 0; k < stride; k += kLanes) {
      const Float value = k < K ? Vec::LoadPart(x + k, K - k) : Vec::Zero();
      Bytes::StoreCodes(Vec::Mul(value, factor), zero, codes + k);
    }
  }
}

// One call's operands.
struct Int8Product {
  const uint8_t* codes;
  const Int8Row* rows;
  const Int8Weight& weight;
  const float* residual;
  Epilogue epilogue;
  float* y;
};

// What the epilogue makes of the sums of `count` outputs, a vector at most.
Float FinishVector(const Int8Product& product, size_t row, size_t column,
                   size_t count, Float sum) {
  const Int8Weight& weight = product.weight;
  const Float scale = Vec::Mul(Vec::Set(product.rows[row].scale),
                               Vec::Load(weight.scales + column));
  const Float base = Vec::MulAdd(Vec::Set(product.rows[row].offset),
                                 Vec::Load(weight.sums + column),
                                 Vec::Load(weight.bias + column));
  const Float value = Vec::MulAdd(sum, scale, base);
  if (product.epilogue == Epilogue::kBiasGelu) return Gelu(value);
  if (product.epilogue == Epilogue::kBiasResidual) {
    return Vec::Add(
        value,
        Vec::LoadPart(product.residual + row * weight.N + column, count));
  }
  return value;
}

// Finishes and stores `num_rows` rows of `columns` sums.
[[gnu::noinline]] void Finish(const Int8Product& product, size_t row,
                              size_t num_rows, size_t column, size_t columns,
                              const int32_t* sums) {  // [num_rows, columns]
  const size_t N = product.weight.N;
  const size_t end = column + columns < N ? column + columns : N;
  for (size_t r = row; r < row + num_rows; ++r, sums += columns) {
    for (size_t c = column; c < end; c += kLanes) {
      const Float sum = Bytes::LoadSums(sums + (c - column));
      Vec::StorePart(product.y + r * N + c, end - c,
                     FinishVector(product, r, c, end - c, sum));
    }
  }
}

// `Rows` rows from `row` on times the outputs from `column` on.
template <int Rows>
void Tile(const Int8Product& product, size_t row, size_t column) {
  const size_t stride = Int8Stride(product.weight.K);
  const int8_t* panel = product.weight.codes +
                        column / kInt8Columns * kInt8Columns * stride +
                        column % kInt8Columns * 4;
  const uint8_t* codes = product.codes + row * stride;
  Bytes::Sums sums[Rows][2];
  QUAVER_UNROLL
  for (int r = 0; r < Rows; ++r) sums[r][0] = sums[r][1] = Bytes::Zero();
  for (size_t k = 0; k < stride; k += 4, panel += kPanelStep) {
    Bytes::Prefetch(panel + kPrefetchBytesAhead);
    if (kLanes == 16) Bytes::Prefetch(panel + kPrefetchBytesAhead + 64);
    const Bytes::Weights w0 = Bytes::LoadWeights(panel);
    const Bytes::Weights w1 = Bytes::LoadWeights(panel + 4 * kLanes);
    QUAVER_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const Bytes::Codes four = Bytes::Broadcast(codes + r * stride + k);
      sums[r][0] = Bytes::Add(sums[r][0], four, w0);
      sums[r][1] = Bytes::Add(sums[r][1], four, w1);
    }
  }
  alignas(64) int32_t stored[Rows * kColumns];
  QUAVER_UNROLL
  for (int r = 0; r < Rows; ++r) {
    Bytes::StoreSums(sums[r][0], stored + r * kColumns);
    Bytes::StoreSums(sums[r][1], stored + r * kColumns + kLanes);
  }
  Finish(product, row, Rows, column, kColumns, stored);
}

using TileFunction = void (*)(const Int8Product&, size_t row, size_t column);

template <int... Rows>
struct TileList {
  static constexpr TileFunction kTiles[] = {Tile<Rows + 1>...};
};
template <int Count, int... Rows>
struct MakeTiles : MakeTiles<Count - 1, Count - 1, Rows...> {};
template <int... Rows>
struct MakeTiles<0, Rows...> : TileList<Rows...> {};
using Tiles = MakeTiles<kTileRows>;

// Panels outside, rows inside: a panel comes from memory once.
void Multiply(const Int8Product& product, size_t M) {
  const size_t num_blocks = (M + kTileRows - 1) / kTileRows;
  for (size_t column = 0; column < product.weight.N; column += kColumns) {
    for (size_t block = 0; block < num_blocks; ++block) {
      const size_t begin = M * block / num_blocks;  // even shares
      const size_t end = M * (block + 1) / num_blocks;
      Tiles::kTiles[end - begin - 1](product, begin, column);
    }
  }
}

void Gemm(const uint8_t* codes, const Int8Row* rows, const Int8Weight& weight,
          const float* residual, size_t M, Epilogue epilogue, float* y) {
  Multiply({codes, rows, weight, residual, epilogue, y}, M);
}

}  // namespace
}  // namespace quaver
