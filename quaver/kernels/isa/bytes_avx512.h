// Products of bytes in AVX-512 registers.
//
// Unnamed, so each includer compiles its own.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace quaver {
namespace {

struct BytesAvx512 {
  using Sums = __m512i;

  static Sums Zero() { return _mm512_setzero_si512(); }
  static __m512 LoadSums(const int32_t* from) {
    return _mm512_cvtepi32_ps(_mm512_load_si512(from));
  }
  static void StoreSums(Sums sums, int32_t* to) {
    _mm512_store_si512(to, sums);
  }
  static __m512i Four(const uint8_t* codes) {
    int32_t four;
    __builtin_memcpy(&four, codes, sizeof(four));
    return _mm512_set1_epi32(four);
  }
  static __m512i Load(const int8_t* from) { return _mm512_load_si512(from); }
  static void Prefetch(const int8_t* from) {
    _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0);
  }
  static int Round(float value) { return _mm_cvtss_si32(_mm_set_ss(value)); }
  // Rounds, adds `zero`, holds within a byte, stores sixteen.
  static void StoreCodes(__m512 values, int zero, uint8_t* to) {
    const __m512i sums =
        _mm512_add_epi32(_mm512_cvtps_epi32(values), _mm512_set1_epi32(zero));
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(to),
        _mm512_cvtusepi32_epi8(_mm512_max_epi32(sums, _mm512_setzero_si512())));
  }
};

}  // namespace
}  // namespace quaver
