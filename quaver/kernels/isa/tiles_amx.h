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
// loop's end that was not foreseen cost 16 and 32 rows 2 to 7 %.
inline void PrefetchTiles(const uint8_t* weights) {
  QUAVER_UNROLL
  for (size_t i = 0; i < kTileHeight; ++i, weights += kPanelRowBytes) {
    _mm_prefetch(reinterpret_cast<const char*>(weights), _MM_HINT_T1);
    _mm_prefetch(reinterpret_cast<const char*>(weights + kTileBytes),
                 _MM_HINT_T1);
  }
}

// Adds `bytes` of the inputs to sums of up to 16 rows and 32 outputs, or begins
// them: where sums are put down and taken up again does not change them. Asks
// for as many weights of `next`, unless it is null.
template <bool kBegins, typename Sum>
void UpperBlock(const uint8_t* rows, const uint8_t* weights, size_t stride,
                size_t bytes, const uint8_t* next, Sum* sums) {
  constexpr size_t kRowBytes = kTileOutputs * sizeof(Sum);
  if constexpr (kBegins) {
    _tile_zero(0);
    _tile_zero(1);
  } else {
    _tile_loadd(0, sums, kRowBytes);
    _tile_loadd(1, sums + kTileHeight, kRowBytes);
  }
  for (size_t k = 0; k < bytes; k += kTileBytes) {
    const uint8_t* tiles = weights + k * kTileOutputs;
    if (next != nullptr) PrefetchTiles(next + k * kTileOutputs);
    _tile_loadd(4, rows + k, stride);
    _tile_loadd(6, tiles, kPanelRowBytes);
    _tile_loadd(7, tiles + kTileBytes, kPanelRowBytes);
    QUAVER_TILE_PRODUCT(0, 4, 6);
    QUAVER_TILE_PRODUCT(1, 4, 7);
  }
  _tile_stored(0, sums, kRowBytes);
  _tile_stored(1, sums + kTileHeight, kRowBytes);
}

// The same of up to 32 rows.
template <bool kBegins, typename Sum>
void WholeBlock(const uint8_t* rows, size_t upper, const uint8_t* weights,
                size_t stride, size_t bytes, const uint8_t* next, Sum* sums) {
  constexpr size_t kRowBytes = kTileOutputs * sizeof(Sum);
  const uint8_t* lower_rows = rows + upper * stride;
  Sum* lower_sums = sums + upper * kTileOutputs;
  if constexpr (kBegins) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    _tile_loadd(0, sums, kRowBytes);
    _tile_loadd(1, sums + kTileHeight, kRowBytes);
    _tile_loadd(2, lower_sums, kRowBytes);
    _tile_loadd(3, lower_sums + kTileHeight, kRowBytes);
  }
  for (size_t k = 0; k < bytes; k += kTileBytes) {
    const uint8_t* tiles = weights + k * kTileOutputs;
    if (next != nullptr) PrefetchTiles(next + k * kTileOutputs);
    _tile_loadd(4, rows + k, stride);
    _tile_loadd(6, tiles, kPanelRowBytes);
    QUAVER_TILE_PRODUCT(0, 4, 6);
    _tile_loadd(7, tiles + kTileBytes, kPanelRowBytes);
    QUAVER_TILE_PRODUCT(1, 4, 7);
    _tile_loadd(5, lower_rows + k, stride);
    QUAVER_TILE_PRODUCT(2, 5, 6);
    QUAVER_TILE_PRODUCT(3, 5, 7);
  }
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

// M rows in equal blocks, the last of which may have fewer.
struct TileBlocks {
  size_t count;
  size_t height;
  size_t upper;  // rows of the upper tiles

  explicit TileBlocks(size_t M)
      : count((M + kBlockRows - 1) / kBlockRows),
        height((M + count - 1) / count),
        upper(height <= kTileHeight ? height : (height + 1) / 2) {}
};

template <bool kBegins, typename Sum>
void MultiplyBlock(const TileBlocks& blocks, const uint8_t* rows,
                   const uint8_t* weights, size_t stride, size_t bytes,
                   const uint8_t* next, Sum* sums) {
  if (blocks.height <= kTileHeight) {
    UpperBlock<kBegins>(rows, weights, stride, bytes, next, sums);
  } else {
    WholeBlock<kBegins>(rows, blocks.upper, weights, stride, bytes, next, sums);
  }
}

// Whether blocks ask for the next panel: more blocks hide how long the weights
// take, and are 5 to 10 % faster without.
enum class Ask { kFewBlocks, kAlways, kNever };

// Rows [begin, begin + M), M <= kSweepRows. Hands blocks of sums to
// `finish(row, count, column, sums)`, sums being [count, kTileOutputs].
template <typename Sum, typename Finisher>
void Sweep(const TileOperands& operands, size_t begin, size_t M, Ask asking,
           const Finisher& finish) {
  const size_t stride = operands.stride;
  const TileBlocks blocks(M);
  Configure(blocks.upper, blocks.height - blocks.upper);
  const bool ask = asking == Ask::kAlways ||
                   (asking == Ask::kFewBlocks && blocks.count <= 2);
  alignas(64) Sum sums[kBlockRows * kTileOutputs];
  const uint8_t* panel = operands.panels;
  for (size_t column = 0; column < operands.N;
       column += kTileOutputs, panel += kTileOutputs * stride) {
    for (size_t row = 0; row < M; row += blocks.height) {
      const uint8_t* rows = operands.rows + (begin + row) * stride;
      const uint8_t* next =
          ask && row == 0 ? panel + kTileOutputs * stride : nullptr;
      MultiplyBlock<true>(blocks, rows, panel, stride, stride, next, sums);
      const size_t left = M - row;
      finish(begin + row, left < blocks.height ? left : blocks.height, column,
             sums);
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

// A sweep by parts: `bytes` of all rows times `panels` panels, then the next
// bytes. Chains of products are short, so that few rows' overlap, and what
// many rows have in common stays in the first-level cache.
struct TileParts {
  size_t panels;
  size_t bytes;  // whole tiles

  constexpr size_t rows() const { return kSweepRows / panels; }
};
// For few rows, and for many rows of many inputs.
constexpr TileParts kShortParts = {2, 384}, kLongParts = {1, 512};

// Rows [begin, begin + M), M <= kParts.rows(), as Sweep. Asks for the next
// part.
template <typename Sum, TileParts kParts>
class PartSweep {
 public:
  PartSweep(const TileOperands& operands, size_t begin, size_t M)
      : operands_(operands), begin_(begin), M_(M), blocks_(M) {}

  template <typename Finisher>
  void Run(const Finisher& finish) {
    Configure(blocks_.upper, blocks_.height - blocks_.upper);
    constexpr size_t kColumns = kParts.panels * kTileOutputs;
    for (size_t column = 0; column < operands_.N; column += kColumns) {
      const size_t end =
          operands_.N - column < kColumns ? operands_.N : column + kColumns;
      for (size_t k = 0; k < operands_.stride; k += kParts.bytes) {
        MultiplyPanels(column, end, k, finish);
      }
    }
    _tile_release();
  }

 private:
  // The inputs from byte `k` on times the panels [column, end).
  template <typename Finisher>
  void MultiplyPanels(size_t column, size_t end, size_t k,
                      const Finisher& finish) {
    const size_t left = operands_.stride - k;
    const size_t bytes = left < kParts.bytes ? left : kParts.bytes;
    const uint8_t* behind =
        bytes < left ? Weights(column, k + bytes) : Weights(end, 0);
    for (size_t row = 0; row < M_; row += blocks_.height) {
      const size_t count =
          M_ - row < blocks_.height ? M_ - row : blocks_.height;
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
    const uint8_t* weights = Weights(column, k);
    if (k == 0) {
      MultiplyBlock<true>(blocks_, rows, weights, stride, bytes, next, sums);
    } else {
      MultiplyBlock<false>(blocks_, rows, weights, stride, bytes, next, sums);
    }
  }
  const uint8_t* Weights(size_t column, size_t k) const {
    return operands_.panels + column * operands_.stride + k * kTileOutputs;
  }

  const TileOperands& operands_;
  const size_t begin_, M_;
  const TileBlocks blocks_;
  alignas(64) Sum sums_[kSweepRows * kTileOutputs];  // 64 KiB
};

template <typename Sum, TileParts kParts, typename Finisher>
void MultiplyTilesByParts(const TileOperands& operands, size_t M,
                          const Finisher& finish) {
  for (size_t begin = 0; begin < M; begin += kParts.rows()) {
    const size_t rows = M - begin < kParts.rows() ? M - begin : kParts.rows();
    PartSweep<Sum, kParts>(operands, begin, rows).Run(finish);
  }
}

}  // namespace
}  // namespace quaver
