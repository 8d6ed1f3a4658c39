// The int8 kernels for AVX-VNNI: a dot product of bytes in 256 bits.
#include "quaver/kernels/isa/bytes_avx2.h"
#include "quaver/kernels/isa/vec_avx2.h"

namespace quaver {
namespace {

struct Bytes : BytesAvx2 {
  using Codes = __m256i;
  using Weights = __m256i;

  static Codes Broadcast(const uint8_t* codes) { return Four(codes); }
  static Weights LoadWeights(const int8_t* from) { return Load(from); }
  static Sums Add(Sums sums, Codes codes, Weights weights) {
    return _mm256_dpbusd_avx_epi32(sums, codes, weights);
  }
};

// 6 rows of two sums, two weights and one code fill 15 of 16 registers.
constexpr size_t kTileRows = 6;

}  // namespace
}  // namespace quaver

#include "quaver/kernels/isa/int8_vector.h"

namespace quaver {

const Int8Kernels kInt8AvxVnni = {
    Quantise,
    QuantiseWith,
    Gemm,
    {{"avx_vnni", Gemm}, {"avx_vnni.far", GemmFar}}};

}  // namespace quaver
