// The bf16 kernels over one vector type, for the bf16_*.cc: the includer
// defines Vec, Pairs and kTileRows beforehand.
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
// A tile is two vectors of outputs wide: a panel or half of one.
constexpr size_t kColumns = 2 * kLanes;
constexpr size_t kPanelStep = 2 * kBf16Columns;  // halves of two inputs
// How far ahead of the products weights are asked for. Few rows pass over a
// weight faster than memory answers: the far one is for them.
constexpr size_t kAhead = 2048 / sizeof(uint16_t), kFarAhead = 4 * kAhead;

void Round(const float* x, size_t M, size_t K, uint16_t* rows) {
  const size_t stride = Bf16Stride(K);
  for (size_t m = 0; m < M; ++m, x += K, rows += stride) {
    for (size_t k = 0; k < stride; k += kLanes) {
      const Float value = k < K ? Vec::LoadPart(x + k, K - k) : Vec::Zero();
      Pairs::StoreRounded(value, rows + k);
    }
  }
}

// One call's operands.
struct Bf16Product {
  const uint16_t* rows;
  const Bf16Weight& weight;
  const float* residual;
  Epilogue epilogue;
  float* y;
  size_t y_stride;  // and residual's
};

// Finishes and stores `num_rows` rows of `columns` sums.
[[gnu::noinline]] void Finish(const Bf16Product& product, size_t row,
                              size_t num_rows, size_t column, size_t columns,
                              const float* sums) {  // [num_rows, columns]
  const size_t N = product.weight.N;
  const size_t end = column + columns < N ? column + columns : N;
  for (size_t r = row; r < row + num_rows; ++r, sums += columns) {
    for (size_t c = column; c < end; c += kLanes) {
      const size_t offset = r * product.y_stride + c;
      Float value = Vec::Add(Vec::Load(sums + (c - column)),
                             Vec::Load(product.weight.bias + c));
      if (product.epilogue == Epilogue::kBiasGelu) value = Gelu(value);
      if (product.epilogue == Epilogue::kBiasResidual) {
        value =
            Vec::Add(value, Vec::LoadPart(product.residual + offset, end - c));
      }
      Vec::StorePart(product.y + offset, end - c, value);
    }
  }
}

// `Rows` rows from `row` on times the outputs from `column` on.
template <size_t Ahead, int Rows>
void Tile(const Bf16Product& product, size_t row, size_t column) {
  const size_t stride = Bf16Stride(product.weight.K);
  const uint16_t* panel = product.weight.halves +
                          column / kBf16Columns * kBf16Columns * stride +
                          column % kBf16Columns * 2;
  const uint16_t* rows = product.rows + row * stride;
  Float sums[Rows][2];
  QUAVER_UNROLL
  for (int r = 0; r < Rows; ++r) sums[r][0] = sums[r][1] = Vec::Zero();
  for (size_t k = 0; k < stride; k += 2, panel += kPanelStep) {
    Pairs::Prefetch(panel + Ahead);
    if (kLanes == 16) Pairs::Prefetch(panel + Ahead + 32);
    const Pairs::Weights w0 = Pairs::LoadWeights(panel);
    const Pairs::Weights w1 = Pairs::LoadWeights(panel + 2 * kLanes);
    QUAVER_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const Pairs::Inputs two = Pairs::Broadcast(rows + r * stride + k);
      sums[r][0] = Pairs::Add(sums[r][0], two, w0);
      sums[r][1] = Pairs::Add(sums[r][1], two, w1);
    }
  }
  alignas(64) float stored[Rows * kColumns];
  QUAVER_UNROLL
  for (int r = 0; r < Rows; ++r) {
    Vec::Store(stored + r * kColumns, sums[r][0]);
    Vec::Store(stored + r * kColumns + kLanes, sums[r][1]);
  }
  Finish(product, row, Rows, column, kColumns, stored);
}

using TileFunction = void (*)(const Bf16Product&, size_t row, size_t column);

template <size_t Ahead, int... Rows>
struct TileList {
  static constexpr TileFunction kTiles[] = {Tile<Ahead, Rows + 1>...};
};
template <size_t Ahead, int Count, int... Rows>
struct MakeTiles : MakeTiles<Ahead, Count - 1, Count - 1, Rows...> {};
template <size_t Ahead, int... Rows>
struct MakeTiles<Ahead, 0, Rows...> : TileList<Ahead, Rows...> {};

// Panels outside, rows inside: a panel comes from memory once. AMX does not
// use it.
template <size_t Ahead>
void GemmAhead(const uint16_t* rows, const Bf16Weight& weight,
               const float* residual, size_t M, Epilogue epilogue, float* y,
               size_t y_stride) {
  const Bf16Product product{rows, weight, residual, epilogue, y, y_stride};
  const size_t num_blocks = (M + kTileRows - 1) / kTileRows;
  for (size_t column = 0; column < weight.N; column += kColumns) {
    for (size_t block = 0; block < num_blocks; ++block) {
      const size_t begin = M * block / num_blocks;  // even shares
      const size_t end = M * (block + 1) / num_blocks;
      MakeTiles<Ahead, kTileRows>::kTiles[end - begin - 1](product, begin,
                                                           column);
    }
  }
}

}  // namespace
}  // namespace quaver
