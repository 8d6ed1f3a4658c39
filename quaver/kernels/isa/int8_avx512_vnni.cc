// The int8 kernels for AVX-512 VNNI.
#include "quaver/kernels/isa/bytes_avx512_vnni.h"
#include "quaver/kernels/isa/vec_avx512.h"
//
#include "quaver/kernels/isa/int8_vector.h"

namespace quaver {

const Int8Kernels kInt8Avx512Vnni = {
    Quantise,
    QuantiseWith,
    Gemm,
    {{"avx512_vnni", Gemm}, {"avx512_vnni.far", GemmFar}}};

}  // namespace quaver
