// The dense kernels for AVX2 and FMA.
#include <cstddef>

#include "quaver/kernels/isa/bytes_avx2.h"
#include "quaver/kernels/isa/vec_avx2.h"

namespace quaver {
namespace {

using Bytes = BytesAvx2;

// 6 rows of two sums, two weights and one input fill 15 of 16 registers.
constexpr size_t kTileRows = 6;
constexpr char kName[] = "avx2";
constexpr char kFarName[] = "avx2.far";

}  // namespace
}  // namespace quaver

#include "quaver/kernels/isa/dense_vector.h"

namespace quaver {

const DenseKernels kDenseAvx2 = kTable;

}  // namespace quaver
