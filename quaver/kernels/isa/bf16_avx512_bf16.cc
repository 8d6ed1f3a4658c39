// The bf16 kernels for AVX-512 BF16.
#include "quaver/kernels/isa/pairs_avx512_bf16.h"
#include "quaver/kernels/isa/vec_avx512.h"
//
#include "quaver/kernels/isa/bf16_vector.h"

namespace quaver {

const Bf16Kernels kBf16Avx512Bf16 = {
    Round,
    GemmAhead<kAhead>,
    {{"avx512_bf16", GemmAhead<kAhead>},
     {"avx512_bf16.far", GemmAhead<kFarAhead>}}};

}  // namespace quaver
