// The bf16 kernels for AMX. One row goes by tiles, too: their order of a sum
// is not that of vdpbf16ps, and a row must not depend on how many there are.
#include "quaver/kernels/isa/pairs_avx512_bf16.h"
#include "quaver/kernels/isa/vec_avx512.h"
//
#include "quaver/kernels/isa/bf16_vector.h"

#define QUAVER_TILE_PRODUCT(sums, rows, weights) \
  _tile_dpbf16ps(sums, rows, weights)
#include "quaver/kernels/isa/tile_parts_amx.h"
#include "quaver/kernels/isa/tiles_amx.h"

namespace quaver {
namespace {

static_assert(kBf16Columns == kTileOutputs);
static_assert(kBf16Inputs * sizeof(uint16_t) == kTileBytes);
static_assert(kBf16SpareRows >= kTileSpareRows);

TileOperands OperandsOf(const Bf16Product& product) {
  const Bf16Weight& weight = product.weight;
  return {reinterpret_cast<const uint8_t*>(product.rows),
          reinterpret_cast<const uint8_t*>(weight.halves),
          Bf16Stride(weight.K) * sizeof(uint16_t), weight.N};
}

void GemmWhole(const uint16_t* rows, const Bf16Weight& weight,
               const float* residual, size_t M, Epilogue epilogue, float* y,
               size_t y_stride) {
  const Bf16Product product{rows, weight, residual, epilogue, y, y_stride};
  MultiplyTiles<float>(
      OperandsOf(product), M,
      [&](size_t row, size_t count, size_t column, const float* sums) {
        Finish(product, row, count, column, kBf16Columns, sums);
      });
}

template <TileParts kParts>
void GemmByParts(const uint16_t* rows, const Bf16Weight& weight,
                 const float* residual, size_t M, Epilogue epilogue, float* y,
                 size_t y_stride) {
  const Bf16Product product{rows, weight, residual, epilogue, y, y_stride};
  MultiplyTilesByParts<float, kParts>(
      OperandsOf(product), M,
      [&](size_t row, size_t count, size_t column, const float* sums) {
        Finish(product, row, count, column, kBf16Columns, sums);
      });
}

// Up to 128 rows short parts are 1 to 22 % faster; above, it depends.
void GemmByRows(const uint16_t* rows, const Bf16Weight& weight,
                const float* residual, size_t M, Epilogue epilogue, float* y,
                size_t y_stride) {
  constexpr size_t kFewRows = 128;
  const Bf16Gemm gemm = M <= kFewRows ? GemmByParts<kShortParts> : GemmWhole;
  gemm(rows, weight, residual, M, epilogue, y, y_stride);
}

}  // namespace

const Bf16Kernels kBf16Amx = {
    Round,
    GemmByRows,
    {{"amx", GemmByRows}, {"amx.long", GemmByParts<kLongParts>}}};

}  // namespace quaver
