// Products by AMX's tiles, part by part of the inputs; behind tiles_amx.h,
// whose sweeps take all inputs of a panel at once.
//
// Chains of products are short, so that those of few rows overlap, and what
// many rows have in common stays in the first-level cache. Sums are put down
// and taken up again, which does not change them.
//
// Unnamed, so each includer compiles its own.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "quaver/kernels/isa/tiles_amx.h"

namespace quaver {
namespace {

// `bytes` of all rows times `panels` panels, then the next bytes.
struct TileParts {
  size_t panels;
  size_t bytes;  // whole tiles

  constexpr size_t rows() const { return kSweepRows / panels; }  // of a sweep
};

// For few rows, and for many rows of many inputs.
constexpr TileParts kShortParts = {2, 384}, kLongParts = {1, 512};

// The tiles of sums: with kBoth of `upper` rows and as many again, or one less;
// else of `upper` rows.
template <bool kBoth>
void ZeroSums() {
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (kBoth) {
    _tile_zero(2);
    _tile_zero(3);
  }
}

template <bool kBoth, typename Sum>
void LoadSums(const Sum* sums, size_t upper) {
  constexpr size_t kRowBytes = kTileOutputs * sizeof(Sum);
  _tile_loadd(0, sums, kRowBytes);
  _tile_loadd(1, sums + kTileHeight, kRowBytes);
  if constexpr (kBoth) {
    sums += upper * kTileOutputs;
    _tile_loadd(2, sums, kRowBytes);
    _tile_loadd(3, sums + kTileHeight, kRowBytes);
  }
}

template <bool kBoth, typename Sum>
void StoreSums(Sum* sums, size_t upper) {
  constexpr size_t kRowBytes = kTileOutputs * sizeof(Sum);
  _tile_stored(0, sums, kRowBytes);
  _tile_stored(1, sums + kTileHeight, kRowBytes);
  if constexpr (kBoth) {
    sums += upper * kTileOutputs;
    _tile_stored(2, sums, kRowBytes);
    _tile_stored(3, sums + kTileHeight, kRowBytes);
  }
}

// Adds the products of `bytes` of the rows. Asks for as many weights of `next`,
// unless it is null.
template <bool kBoth>
void AddProducts(const uint8_t* rows, size_t stride, size_t upper,
                 const uint8_t* weights, size_t bytes, const uint8_t* next) {
  const uint8_t* lower_rows = rows + upper * stride;
  for (size_t k = 0; k < bytes; k += kTileBytes) {
    const uint8_t* tiles = weights + k * kTileOutputs;
    if (next != nullptr) PrefetchTiles(next + k * kTileOutputs);
    _tile_loadd(4, rows + k, stride);
    _tile_loadd(6, tiles, kPanelRowBytes);
    QUAVER_TILE_PRODUCT(0, 4, 6);
    _tile_loadd(7, tiles + kTileBytes, kPanelRowBytes);
    QUAVER_TILE_PRODUCT(1, 4, 7);
    if constexpr (kBoth) {
      _tile_loadd(5, lower_rows + k, stride);
      QUAVER_TILE_PRODUCT(2, 5, 6);
      QUAVER_TILE_PRODUCT(3, 5, 7);
    }
  }
}

// Rows [begin, begin + M), M <= kParts.rows(), in equal blocks as Sweep has
// them; kBoth where a block has more than 16. Asks for the next part.
template <typename Sum, TileParts kParts, bool kBoth>
class PartSweep {
 public:
  PartSweep(const TileOperands& operands, size_t begin, size_t M, size_t height)
      : operands_(operands),
        begin_(begin),
        M_(M),
        height_(height),
        upper_(kBoth ? (height + 1) / 2 : height) {}

  template <typename Finisher>
  void Run(const Finisher& finish) {
    Configure(upper_, height_ - upper_);
    constexpr size_t kWidth = kParts.panels * kTileOutputs;
    for (size_t column = 0; column < operands_.N; column += kWidth) {
      const size_t end =
          operands_.N - column < kWidth ? operands_.N : column + kWidth;
      for (size_t k = 0; k < operands_.stride; k += kParts.bytes) {
        MultiplyPanels(column, end, k, finish);
      }
    }
    _tile_release();
  }

 private:
  // The inputs from byte `k` on times the outputs [column, end).
  template <typename Finisher>
  void MultiplyPanels(size_t column, size_t end, size_t k,
                      const Finisher& finish) {
    const size_t left = operands_.stride - k;
    const size_t bytes = left < kParts.bytes ? left : kParts.bytes;
    const uint8_t* behind =
        bytes < left ? Weights(column, k + bytes) : Weights(end, 0);
    for (size_t row = 0; row < M_; row += height_) {
      const size_t count = M_ - row < height_ ? M_ - row : height_;
      for (size_t c = column; c < end; c += kTileOutputs) {
        const bool last = c + kTileOutputs >= end;
        const uint8_t* next = last ? behind : Weights(c + kTileOutputs, k);
        Sum* sums = sums_ + (c - column) * kParts.rows() + row * kTileOutputs;
        Multiply(row, c, k, bytes, row == 0 ? next : nullptr, sums);
        if (bytes == left) finish(begin_ + row, count, c, sums);
      }
    }
  }
  void Multiply(size_t row, size_t column, size_t k, size_t bytes,
                const uint8_t* next, Sum* sums) {
    const size_t stride = operands_.stride;
    const uint8_t* rows = operands_.rows + (begin_ + row) * stride + k;
    if (k == 0) {
      ZeroSums<kBoth>();
    } else {
      LoadSums<kBoth>(sums, upper_);
    }
    AddProducts<kBoth>(rows, stride, upper_, Weights(column, k), bytes, next);
    StoreSums<kBoth>(sums, upper_);
  }
  const uint8_t* Weights(size_t column, size_t k) const {
    return operands_.panels + column * operands_.stride + k * kTileOutputs;
  }

  const TileOperands& operands_;
  const size_t begin_, M_, height_, upper_;
  alignas(64) Sum sums_[kSweepRows * kTileOutputs];  // 64 KiB
};

// As MultiplyTiles.
template <typename Sum, TileParts kParts, typename Finisher>
void MultiplyTilesByParts(const TileOperands& operands, size_t M,
                          const Finisher& finish) {
  for (size_t begin = 0; begin < M; begin += kParts.rows()) {
    const size_t rows = M - begin < kParts.rows() ? M - begin : kParts.rows();
    const size_t num_blocks = (rows + kBlockRows - 1) / kBlockRows;
    const size_t height = (rows + num_blocks - 1) / num_blocks;
    if (height <= kTileHeight) {
      PartSweep<Sum, kParts, false>(operands, begin, rows, height).Run(finish);
    } else {
      PartSweep<Sum, kParts, true>(operands, begin, rows, height).Run(finish);
    }
  }
}

}  // namespace
}  // namespace quaver
