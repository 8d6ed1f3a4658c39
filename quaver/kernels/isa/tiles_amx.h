// Products by AMX's tiles of 16 rows of 64 bytes, for the *_amx.cc: the
// includer defines QUAVER_TILE_PRODUCT(sums, rows, weights), an instruction
// that adds the product of two tiles to a third, whose elements have 4 bytes,
// and QUAVER_UNROLL.
//
// Unnamed, so each includer compiles its own.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace quaver {
namespace {

constexpr size_t kTileHeight = 16;
constexpr size_t kTileBytes = 64;  // of a row
// Outputs of a panel, which holds [stride / 4, 32, 4 bytes] of weights.
constexpr size_t kTileOutputs = 32;
constexpr size_t kPanelRowBytes = 4 * kTileOutputs;
// Rows of one sweep over the weight. Equal blocks of at most 32 rows may pass
// its end by one row less than there are blocks: kTileSpareRows.
constexpr size_t kSweepRows = 512;
constexpr size_t kBlockRows = 2 * kTileHeight;
constexpr size_t kTileSpareRows = kSweepRows / kBlockRows - 1;

// The hardware's, of 64 bytes.
struct TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

// Tiles 0 to 3 are sums: upper and lower rows by left and right outputs. 4 and
// 5 are rows, 6 and 7 weights.
void Configure(size_t upper, size_t lower) {
  TileConfig config;
  const size_t rows[] = {upper, upper, lower,       lower,
                         upper, lower, kTileHeight, kTileHeight};
  for (size_t i = 0; i < 8; ++i) {
    config.rows[i] = static_cast<uint8_t>(rows[i]);
    config.row_bytes[i] = rows[i] == 0 ? 0 : kTileBytes;
  }
  // The header's statement names 8 of the bytes it reads.
  asm volatile("" : : "r"(&config) : "memory");
  _tile_loadconfig(&config);
}

// Two tiles of weights, which the second-level cache has room for. Unrolled: a
// loop's end that was not foreseen cost 16 and 32 rows 1 to 3 %.
inline void PrefetchTiles(const uint8_t* weights) {
  QUAVER_UNROLL
  for (size_t i = 0; i < kTileHeight; ++i, weights += kPanelRowBytes) {
    _mm_prefetch(reinterpret_cast<const char*>(weights), _MM_HINT_T1);
    _mm_prefetch(reinterpret_cast<const char*>(weights + kTileBytes),
                 _MM_HINT_T1);
  }
}

// Sums of up to 16 rows and 32 outputs. With `ask`, it asks for the next panel.
template <typename Sum>
void UpperBlock(const uint8_t* rows, const uint8_t* panel, size_t stride,
                bool ask, Sum* sums) {
  _tile_zero(0);
  _tile_zero(1);
  for (size_t k = 0; k < stride; k += kTileBytes) {
    const uint8_t* weights = panel + k * kTileOutputs;
    if (ask) PrefetchTiles(weights + kTileOutputs * stride);
    _tile_loadd(4, rows + k, stride);
    _tile_loadd(6, weights, kPanelRowBytes);
    _tile_loadd(7, weights + kTileBytes, kPanelRowBytes);
    QUAVER_TILE_PRODUCT(0, 4, 6);
    QUAVER_TILE_PRODUCT(1, 4, 7);
  }
  constexpr size_t kRowBytes = kTileOutputs * sizeof(Sum);
  _tile_stored(0, sums, kRowBytes);
  _tile_stored(1, sums + kTileHeight, kRowBytes);
}

// Sums of up to 32 rows and 32 outputs.
template <typename Sum>
void WholeBlock(const uint8_t* rows, size_t upper, const uint8_t* panel,
                size_t stride, bool ask, Sum* sums) {
  const uint8_t* lower_rows = rows + upper * stride;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (size_t k = 0; k < stride; k += kTileBytes) {
    const uint8_t* weights = panel + k * kTileOutputs;
    if (ask) PrefetchTiles(weights + kTileOutputs * stride);
    _tile_loadd(4, rows + k, stride);
    _tile_loadd(6, weights, kPanelRowBytes);
    QUAVER_TILE_PRODUCT(0, 4, 6);
    _tile_loadd(7, weights + kTileBytes, kPanelRowBytes);
    QUAVER_TILE_PRODUCT(1, 4, 7);
    _tile_loadd(5, lower_rows + k, stride);
    QUAVER_TILE_PRODUCT(2, 5, 6);
    QUAVER_TILE_PRODUCT(3, 5, 7);
  }
  constexpr size_t kRowBytes = kTileOutputs * sizeof(Sum);
  Sum* lower_sums = sums + upper * kTileOutputs;
  _tile_stored(0, sums, kRowBytes);
  _tile_stored(1, sums + kTileHeight, kRowBytes);
  _tile_stored(2, lower_sums, kRowBytes);
  _tile_stored(3, lower_sums + kTileHeight, kRowBytes);
}

// Rows of `stride` bytes by panels of as many inputs, N outputs.
struct TileOperands {
  const uint8_t* rows;
  const uint8_t* panels;
  size_t stride;
  size_t N;
};

// Whether blocks ask for the next panel: more blocks hide how long the weights
// take, and are 5 to 10 % faster without.
enum class Ask { kFewBlocks, kAlways, kNever };

// Rows [begin, begin + M), M <= kSweepRows. Hands blocks of sums to
// `finish(row, count, column, sums)`, sums being [count, kTileOutputs].
template <typename Sum, typename Finisher>
void Sweep(const TileOperands& operands, size_t begin, size_t M, Ask asking,
           const Finisher& finish) {
  const size_t stride = operands.stride;
  const size_t num_blocks = (M + kBlockRows - 1) / kBlockRows;
  const size_t height = (M + num_blocks - 1) / num_blocks;
  const size_t upper = height <= kTileHeight ? height : (height + 1) / 2;
  Configure(upper, height - upper);
  const bool ask =
      asking == Ask::kAlways || (asking == Ask::kFewBlocks && num_blocks <= 2);
  alignas(64) Sum sums[kBlockRows * kTileOutputs];
  const uint8_t* panel = operands.panels;
  for (size_t column = 0; column < operands.N;
       column += kTileOutputs, panel += kTileOutputs * stride) {
    for (size_t row = 0; row < M; row += height) {
      const uint8_t* rows = operands.rows + (begin + row) * stride;
      if (height <= kTileHeight) {
        UpperBlock(rows, panel, stride, ask && row == 0, sums);
      } else {
        WholeBlock(rows, upper, panel, stride, ask && row == 0, sums);
      }
      finish(begin + row, M - row < height ? M - row : height, column, sums);
    }
  }
  _tile_release();
}

template <typename Sum, Ask asking = Ask::kFewBlocks, typename Finisher>
void MultiplyTiles(const TileOperands& operands, size_t M,
                   const Finisher& finish) {
  for (size_t begin = 0; begin < M; begin += kSweepRows) {
    const size_t rows = M - begin < kSweepRows ? M - begin : kSweepRows;
    Sweep<Sum>(operands, begin, rows, asking, finish);
  }
}

}  // namespace
}  // namespace quaver
