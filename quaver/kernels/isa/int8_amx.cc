// The int8 kernels for AMX.
#include "quaver/kernels/isa/bytes_avx512_vnni.h"
#include "quaver/kernels/isa/vec_avx512.h"
//
#include "quaver/kernels/isa/int8_vector.h"

#define QUAVER_TILE_PRODUCT(sums, rows, weights) \
  _tile_dpbusd(sums, rows, weights)
#include "quaver/kernels/isa/tile_parts_amx.h"
#include "quaver/kernels/isa/tiles_amx.h"

namespace quaver {
namespace {

static_assert(kInt8Columns == kTileOutputs && kInt8Inputs == kTileBytes);
static_assert(kInt8SpareRows >= kTileSpareRows);

template <Ask asking>
void GemmByTiles(const uint8_t* codes, const Int8Row* rows,
                 const Int8Weight& weight, const float* residual, size_t M,
                 Epilogue epilogue, float* y, size_t y_stride) {
  const Int8Product product{codes,    rows, weight,  residual,
                            epilogue, y,    y_stride};
  MultiplyTiles<int32_t, asking>(
      {codes, reinterpret_cast<const uint8_t*>(weight.codes),
       Int8Stride(weight.K), weight.N},
      M, [&](size_t row, size_t count, size_t column, const int32_t* sums) {
        Finish(product, row, count, column, kInt8Columns, sums);
      });
}

template <TileParts kParts>
void GemmByParts(const uint8_t* codes, const Int8Row* rows,
                 const Int8Weight& weight, const float* residual, size_t M,
                 Epilogue epilogue, float* y, size_t y_stride) {
  const Int8Product product{codes,    rows, weight,  residual,
                            epilogue, y,    y_stride};
  MultiplyTilesByParts<int32_t, kParts>(
      {codes, reinterpret_cast<const uint8_t*>(weight.codes),
       Int8Stride(weight.K), weight.N},
      M, [&](size_t row, size_t count, size_t column, const int32_t* sums) {
        Finish(product, row, count, column, kInt8Columns, sums);
      });
}

// Few rows go the way of VNNI: both wait for the weights then, which at 28 GB/s
// take as long as 14 rows of VNNI's products.
void GemmByRows(const uint8_t* codes, const Int8Row* rows,
                const Int8Weight& weight, const float* residual, size_t M,
                Epilogue epilogue, float* y, size_t y_stride) {
  constexpr size_t kFewRows = 14;
  const Int8Gemm gemm = M <= kFewRows ? Gemm : GemmByTiles<Ask::kFewBlocks>;
  gemm(codes, rows, weight, residual, M, epilogue, y, y_stride);
}

}  // namespace

const Int8Kernels kInt8Amx = {Quantise,
                              QuantiseWith,
                              GemmByRows,
                              {{"amx", GemmByRows},
                               {"amx.ask", GemmByTiles<Ask::kAlways>},
                               {"amx.plain", GemmByTiles<Ask::kNever>},
                               {"amx.short", GemmByParts<kShortParts>},
                               {"avx512_vnni", Gemm},
                               {"avx512_vnni.far", GemmFar}}};

}  // namespace quaver
