// The int8 kernels over one vector type, for the int8_*.cc: the includer
// defines Vec, Bytes and kTileRows beforehand.
//
// Everything here is unnamed, so each includer compiles its own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quaver/kernels/isa/codes_vector.h"
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
// How far ahead of the products weights are asked for. Few rows pass over a
// weight faster than memory answers: the far one is for them.
constexpr size_t kAhead = 2048, kFarAhead = 8192;

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

CodeMap MapOf(const float* x, size_t K, Int8Row* row) {
  Float least = Vec::Zero(), greatest = Vec::Zero();
  for (size_t k = 0; k < K; k += kLanes) {
    const Float value = Vec::LoadPart(x + k, K - k);
    least = Vec::Min(least, value);
    greatest = Vec::Max(greatest, value);
  }
  return MapBetween(least, greatest, row);
}

// The ends of some rows first, then their codes: the way from a row's values to
// its ends is long, and others' values fill the time.
void Quantise(const float* x, size_t M, size_t K, uint8_t* codes,
              Int8Row* rows) {
  constexpr size_t kRows = 4;
  const size_t stride = Int8Stride(K);
  for (size_t begin = 0; begin < M; begin += kRows) {
    const size_t end = M - begin < kRows ? M : begin + kRows;
    CodeMap maps[kRows];
    for (size_t m = begin; m < end; ++m) {
      maps[m - begin] = MapOf(x + m * K, K, rows + m);
    }
    for (size_t m = begin; m < end; ++m) {
      StoreCodes(x + m * K, K, maps[m - begin], codes + m * stride);
    }
  }
}

void QuantiseWith(Int8Row row, const float* x, size_t M, size_t K,
                  uint8_t* codes, Int8Row* rows) {
  const CodeMap map = MapOf(row);
  for (size_t m = 0; m < M; ++m) {
    rows[m] = row;
    StoreHeldCodes(x + m * K, K, map, codes + m * Int8Stride(K));
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
  size_t y_stride;  // and residual's
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
        value, Vec::LoadPart(product.residual + row * product.y_stride + column,
                             count));
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
      Vec::StorePart(product.y + r * product.y_stride + c, end - c,
                     FinishVector(product, r, c, end - c, sum));
    }
  }
}

// `Rows` rows from `row` on times the outputs from `column` on.
template <size_t Ahead, int Rows>
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
    Bytes::Prefetch(panel + Ahead);
    if (kLanes == 16) Bytes::Prefetch(panel + Ahead + 64);
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

template <size_t Ahead, int... Rows>
struct TileList {
  static constexpr TileFunction kTiles[] = {Tile<Ahead, Rows + 1>...};
};
template <size_t Ahead, int Count, int... Rows>
struct MakeTiles : MakeTiles<Ahead, Count - 1, Count - 1, Rows...> {};
template <size_t Ahead, int... Rows>
struct MakeTiles<Ahead, 0, Rows...> : TileList<Ahead, Rows...> {};

// Panels outside, rows inside: a panel comes from memory once.
template <size_t Ahead>
void Multiply(const Int8Product& product, size_t M) {
  const size_t num_blocks = (M + kTileRows - 1) / kTileRows;
  for (size_t column = 0; column < product.weight.N; column += kColumns) {
    for (size_t block = 0; block < num_blocks; ++block) {
      const size_t begin = M * block / num_blocks;  // even shares
      const size_t end = M * (block + 1) / num_blocks;
      MakeTiles<Ahead, kTileRows>::kTiles[end - begin - 1](product, begin,
                                                           column);
    }
  }
}

template <size_t Ahead>
void GemmAhead(const uint8_t* codes, const Int8Row* rows,
               const Int8Weight& weight, const float* residual, size_t M,
               Epilogue epilogue, float* y, size_t y_stride) {
  Multiply<Ahead>({codes, rows, weight, residual, epilogue, y, y_stride}, M);
}
constexpr Int8Gemm Gemm = GemmAhead<kAhead>;
constexpr Int8Gemm GemmFar = GemmAhead<kFarAhead>;

}  // namespace
}  // namespace quaver
