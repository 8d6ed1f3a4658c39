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
  // Rounds, adds `zero`, holds within a byte, stores 64.
  static void StoreCodes(const __m512 values[4], int zero, uint8_t* to) {
    const auto sum = [&](__m512 value) {
      return _mm512_add_epi32(_mm512_cvtps_epi32(value),
                              _mm512_set1_epi32(zero));
    };
    // Both pack within each 16 bytes: four codes of each vector lie there.
    const __m512i packed = _mm512_packus_epi16(
        _mm512_packs_epi32(sum(values[0]), sum(values[1])),
        _mm512_packs_epi32(sum(values[2]), sum(values[3])));
    const __m512i order =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_storeu_si512(to, _mm512_permutexvar_epi32(order, packed));
  }
};

}  // namespace
}  // namespace quaver
