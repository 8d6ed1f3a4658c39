// The bf16 kernels for AVX-512 F, BW, DQ, VL: halves are widened to fp32.
#include "quaver/kernels/isa/vec_avx512.h"

namespace quaver {
namespace {

struct Pairs {
  struct Widened {
    __m512 first, second;  // of each pair
  };
  using Inputs = Widened;
  using Weights = Widened;

  static Widened Widen(__m512i pairs) {
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
            _mm512_castsi512_ps(_mm512_and_si512(pairs, upper))};
  }
  static Inputs Broadcast(const uint16_t* from) {
    int32_t pair;
    __builtin_memcpy(&pair, from, sizeof(pair));
    return Widen(_mm512_set1_epi32(pair));
  }
  static Weights LoadWeights(const uint16_t* from) {
    return Widen(_mm512_load_si512(from));
  }
  static __m512 Add(__m512 sums, const Inputs& x, const Weights& w) {
    return Vec::MulAdd(x.first, w.first, Vec::MulAdd(x.second, w.second, sums));
  }
  static void Prefetch(const uint16_t* from) {
    _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0);
  }
  // The scalar table's steps, sixteen at once.
  static void StoreRounded(__m512 value, uint16_t* to) {
    const __m512i bits = _mm512_castps_si512(value);
    const __m512i upper = _mm512_srli_epi32(bits, 16);
    const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    const __m512i half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF));
    __m512i halves = _mm512_srli_epi32(_mm512_add_epi32(bits, half), 16);
    const __mmask16 tiny =
        _mm512_testn_epi32_mask(bits, _mm512_set1_epi32(0x7F800000));
    halves =
        _mm512_mask_and_epi32(halves, tiny, upper, _mm512_set1_epi32(0x8000));
    const __mmask16 none = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    halves = _mm512_mask_or_epi32(halves, none, upper, _mm512_set1_epi32(0x40));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm512_cvtepi32_epi16(halves));
  }
};

// 12 rows of two sums, four weights, two inputs and a mask fill 31 of 32
// registers.
constexpr size_t kTileRows = 12;

}  // namespace
}  // namespace quaver

#include "quaver/kernels/isa/bf16_vector.h"

namespace quaver {

const Bf16Kernels kBf16Avx512 = {
    Round,
    GemmAhead<kAhead>,
    {{"avx512", GemmAhead<kAhead>}, {"avx512.far", GemmAhead<kFarAhead>}}};

}  // namespace quaver
