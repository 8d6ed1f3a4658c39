// The int8 kernels for AVX2. Its product of bytes adds pairs in 16 bits and
// saturates, so bytes are widened first: two steps for what VNNI does in one.
#include "quaver/kernels/isa/bytes_avx2.h"
#include "quaver/kernels/isa/vec_avx2.h"

namespace quaver {
namespace {

// Of each four bytes the first and third, and the second and fourth, as words.
struct Words {
  __m256i even, odd;
};

struct Bytes : BytesAvx2 {
  using Codes = Words;
  using Weights = Words;

  static Codes Broadcast(const uint8_t* codes) {
    const __m256i four = Four(codes);
    return {_mm256_and_si256(four, _mm256_set1_epi16(0xFF)),
            _mm256_srli_epi16(four, 8)};
  }
  static Weights LoadWeights(const int8_t* from) {
    const __m256i bytes = Load(from);
    return {_mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8),
            _mm256_srai_epi16(bytes, 8)};
  }
  static Sums Add(Sums sums, const Codes& codes, const Weights& weights) {
    const __m256i even = _mm256_madd_epi16(codes.even, weights.even);
    const __m256i odd = _mm256_madd_epi16(codes.odd, weights.odd);
    return _mm256_add_epi32(sums, _mm256_add_epi32(even, odd));
  }
};

// 4 rows of two sums, four weights, two codes and a product fill 15 of 16
// registers.
constexpr size_t kTileRows = 4;

}  // namespace
}  // namespace quaver

#include "quaver/kernels/isa/int8_vector.h"

namespace quaver {

const Int8Kernels kInt8Avx2 = {
    Quantise, QuantiseWith, Gemm, {{"avx2", Gemm}, {"avx2.far", GemmFar}}};

}  // namespace quaver
