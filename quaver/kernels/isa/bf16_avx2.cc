// The bf16 kernels for AVX2 and FMA: halves are widened to fp32.
#include "quaver/kernels/isa/vec_avx2.h"

namespace quaver {
namespace {

struct Pairs {
  struct Widened {
    __m256 first, second;  // of each pair
  };
  using Inputs = Widened;
  using Weights = Widened;

  static Widened Widen(__m256i pairs) {
    const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xFFFF0000));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)),
            _mm256_castsi256_ps(_mm256_and_si256(pairs, upper))};
  }
  static Inputs Broadcast(const uint16_t* from) {
    int32_t pair;
    __builtin_memcpy(&pair, from, sizeof(pair));
    return Widen(_mm256_set1_epi32(pair));
  }
  static Weights LoadWeights(const uint16_t* from) {
    return Widen(_mm256_load_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static __m256 Add(__m256 sums, const Inputs& x, const Weights& w) {
    return Vec::MulAdd(x.first, w.first, Vec::MulAdd(x.second, w.second, sums));
  }
  static void Prefetch(const uint16_t* from) {
    _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0);
  }
  // The scalar table's steps, eight at once.
  static void StoreRounded(__m256 value, uint16_t* to) {
    const __m256i bits = _mm256_castps_si256(value);
    const __m256i upper = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    const __m256i half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF));
    __m256i halves = _mm256_srli_epi32(_mm256_add_epi32(bits, half), 16);
    const __m256i exponent =
        _mm256_and_si256(bits, _mm256_set1_epi32(0x7F800000));
    const __m256i tiny = _mm256_cmpeq_epi32(exponent, _mm256_setzero_si256());
    halves = _mm256_blendv_epi8(
        halves, _mm256_and_si256(upper, _mm256_set1_epi32(0x8000)), tiny);
    const __m256 none = _mm256_cmp_ps(value, value, _CMP_UNORD_Q);
    halves = _mm256_blendv_epi8(halves,
                                _mm256_or_si256(upper, _mm256_set1_epi32(0x40)),
                                _mm256_castps_si256(none));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm_packus_epi32(_mm256_castsi256_si128(halves),
                                      _mm256_extracti128_si256(halves, 1)));
  }
};

// 4 rows of two sums, four weights, two inputs and a mask fill 15 of 16
// registers.
constexpr size_t kTileRows = 4;

}  // namespace
}  // namespace quaver

#include "quaver/kernels/isa/bf16_vector.h"

namespace quaver {

const Bf16Kernels kBf16Avx2 = {
    Round,
    GemmAhead<kAhead>,
    {{"avx2", GemmAhead<kAhead>}, {"avx2.far", GemmAhead<kFarAhead>}}};

}  // namespace quaver
