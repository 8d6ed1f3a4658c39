// The int8 kernels for AVX-512 without VNNI: bytes are widened to words.
#include "quaver/kernels/isa/bytes_avx512.h"
#include "quaver/kernels/isa/vec_avx512.h"

namespace quaver {
namespace {

// Of each four bytes the first and third, and the second and fourth, as words.
struct Words {
  __m512i even, odd;
};

struct Bytes : BytesAvx512 {
  using Codes = Words;
  using Weights = Words;

  static Codes Broadcast(const uint8_t* codes) {
    const __m512i four = Four(codes);
    return {_mm512_and_si512(four, _mm512_set1_epi16(0xFF)),
            _mm512_srli_epi16(four, 8)};
  }
  static Weights LoadWeights(const int8_t* from) {
    const __m512i bytes = Load(from);
    return {_mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8),
            _mm512_srai_epi16(bytes, 8)};
  }
  static Sums Add(Sums sums, const Codes& codes, const Weights& weights) {
    const __m512i even = _mm512_madd_epi16(codes.even, weights.even);
    const __m512i odd = _mm512_madd_epi16(codes.odd, weights.odd);
    return _mm512_add_epi32(sums, _mm512_add_epi32(even, odd));
  }
};

// 12 rows of two sums, four weights, two codes and a mask fill 31 of 32
// registers.
constexpr size_t kTileRows = 12;

}  // namespace
}  // namespace quaver

#include "quaver/kernels/isa/int8_vector.h"

namespace quaver {

const Int8Kernels kInt8Avx512 = {
    Quantise, QuantiseWith, Gemm, {{"avx512", Gemm}, {"avx512.far", GemmFar}}};

}  // namespace quaver
