// The int8 kernels for AMX: tiles of 16 rows of 64 bytes, and products of two
// tiles. Few rows go the way of VNNI: both wait for the weights then, which at
// 28 GB/s take as long as 14 rows of VNNI's products.
#include "quaver/kernels/isa/bytes_avx512_vnni.h"
#include "quaver/kernels/isa/vec_avx512.h"
//
#include "quaver/kernels/isa/int8_vector.h"

namespace quaver {
namespace {

constexpr size_t kTileHeight = 16;
constexpr size_t kTileBytes = 64;  // of a row
// Rows of one sweep over the weight. Equal blocks of at most 32 rows may pass
// its end by one row less than there are blocks: kInt8SpareRows.
constexpr size_t kSweepRows = 512;
constexpr size_t kBlockRows = 2 * kTileHeight;
static_assert(kSweepRows / kBlockRows - 1 <= kInt8SpareRows);
static_assert(kInt8Columns == 32 && kInt8Inputs == kTileBytes);

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
// 5 are codes, 6 and 7 weights.
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

// Two tiles of weights, which the second-level cache has room for.
void PrefetchTiles(const int8_t* weights) {
  for (size_t i = 0; i < 2 * kTileBytes * kTileHeight; i += kTileBytes) {
    _mm_prefetch(reinterpret_cast<const char*>(weights + i), _MM_HINT_T1);
  }
}

// Sums of up to 16 rows and 32 outputs. With `ask`, it asks for
// the next panel.
void UpperBlock(const uint8_t* codes, const int8_t* panel, size_t stride,
                bool ask, int32_t* sums) {
  _tile_zero(0);
  _tile_zero(1);
  for (size_t k = 0; k < stride; k += kTileBytes) {
    const int8_t* weights = panel + k * kInt8Columns;
    if (ask) PrefetchTiles(weights + kInt8Columns * stride);
    _tile_loadd(4, codes + k, stride);
    _tile_loadd(6, weights, kPanelStep);
    _tile_loadd(7, weights + kTileBytes, kPanelStep);
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
  }
  constexpr size_t kRowBytes = kInt8Columns * sizeof(int32_t);
  _tile_stored(0, sums, kRowBytes);
  _tile_stored(1, sums + kTileHeight, kRowBytes);
}

// Sums of up to 32 rows and 32 outputs.
void WholeBlock(const uint8_t* codes, size_t upper, const int8_t* panel,
                size_t stride, bool ask, int32_t* sums) {
  const uint8_t* lower_codes = codes + upper * stride;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (size_t k = 0; k < stride; k += kTileBytes) {
    const int8_t* weights = panel + k * kInt8Columns;
    if (ask) PrefetchTiles(weights + kInt8Columns * stride);
    _tile_loadd(4, codes + k, stride);
    _tile_loadd(6, weights, kPanelStep);
    _tile_dpbusd(0, 4, 6);
    _tile_loadd(7, weights + kTileBytes, kPanelStep);
    _tile_dpbusd(1, 4, 7);
    _tile_loadd(5, lower_codes + k, stride);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
  constexpr size_t kRowBytes = kInt8Columns * sizeof(int32_t);
  int32_t* lower_sums = sums + upper * kInt8Columns;
  _tile_stored(0, sums, kRowBytes);
  _tile_stored(1, sums + kTileHeight, kRowBytes);
  _tile_stored(2, lower_sums, kRowBytes);
  _tile_stored(3, lower_sums + kTileHeight, kRowBytes);
}

// Rows [begin, begin + M), M <= kSweepRows.
void Sweep(const Int8Product& product, size_t begin, size_t M) {
  const size_t stride = Int8Stride(product.weight.K);
  const size_t num_blocks = (M + kBlockRows - 1) / kBlockRows;
  const size_t rows = (M + num_blocks - 1) / num_blocks;
  const size_t upper = rows <= kTileHeight ? rows : (rows + 1) / 2;
  Configure(upper, rows - upper);
  // More blocks hide how long the weights take: 5 to 10 % less without.
  const bool ask = num_blocks <= 2;
  alignas(64) int32_t sums[kBlockRows * kInt8Columns];
  const int8_t* panel = product.weight.codes;
  for (size_t column = 0; column < product.weight.N;
       column += kInt8Columns, panel += kInt8Columns * stride) {
    for (size_t row = 0; row < M; row += rows) {
      const uint8_t* codes = product.codes + (begin + row) * stride;
      if (rows <= kTileHeight) {
        UpperBlock(codes, panel, stride, ask && row == 0, sums);
      } else {
        WholeBlock(codes, upper, panel, stride, ask && row == 0, sums);
      }
      const size_t count = M - row < rows ? M - row : rows;
      Finish(product, begin + row, count, column, kInt8Columns, sums);
    }
  }
  _tile_release();
}

void GemmByTiles(const uint8_t* codes, const Int8Row* rows,
                 const Int8Weight& weight, const float* residual, size_t M,
                 Epilogue epilogue, float* y) {
  constexpr size_t kFewRows = 14;
  if (M <= kFewRows) {
    return Gemm(codes, rows, weight, residual, M, epilogue, y);
  }
  const Int8Product product{codes, rows, weight, residual, epilogue, y};
  for (size_t begin = 0; begin < M; begin += kSweepRows) {
    Sweep(product, begin, M - begin < kSweepRows ? M - begin : kSweepRows);
  }
}

}  // namespace

const Int8Kernels kInt8Amx = {Quantise, GemmByTiles};

}  // namespace quaver
