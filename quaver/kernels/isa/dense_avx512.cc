// The dense kernels for AVX-512 F, BW, DQ, VL.
#include <cstddef>

#include "quaver/kernels/isa/bytes_avx512.h"
#include "quaver/kernels/isa/vec_avx512.h"

namespace quaver {
namespace {

using Bytes = BytesAvx512;

// 14 rows of two sums, two weights and one input fill 31 of 32 registers.
constexpr size_t kTileRows = 14;
constexpr char kName[] = "avx512";
constexpr char kFarName[] = "avx512.far";

}  // namespace
}  // namespace quaver

#include "quaver/kernels/isa/dense_vector.h"

namespace quaver {

const DenseKernels kDenseAvx512 = kTable;

}  // namespace quaver
