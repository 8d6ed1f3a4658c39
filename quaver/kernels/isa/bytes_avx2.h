// Products of bytes in AVX2 registers. The includer's `DotProduct` adds to
// eight sums what four codes times four weights of eight outputs give.
//
// Unnamed, so each includer compiles its own.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace quaver {
namespace {

struct BytesAvx2 {
  using Sums = __m256i;

  static Sums Zero() { return _mm256_setzero_si256(); }
  static __m256 LoadSums(const int32_t* from) {
    return _mm256_cvtepi32_ps(
        _mm256_load_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static void StoreSums(Sums sums, int32_t* to) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), sums);
  }
  static __m256i Four(const uint8_t* codes) {
    int32_t four;
    __builtin_memcpy(&four, codes, sizeof(four));
    return _mm256_set1_epi32(four);
  }
  static __m256i Load(const int8_t* from) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
  }
  static void Prefetch(const int8_t* from) {
    _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0);
  }
  static int Round(float value) { return _mm_cvtss_si32(_mm_set_ss(value)); }
  // Rounds, adds `zero`, holds within a byte, stores 32.
  static void StoreCodes(const __m256 values[4], int zero, uint8_t* to) {
    const auto sum = [&](__m256 value) {
      return _mm256_add_epi32(_mm256_cvtps_epi32(value),
                              _mm256_set1_epi32(zero));
    };
    // Both pack within each 16 bytes: four codes of each vector lie there.
    const __m256i packed = _mm256_packus_epi16(
        _mm256_packs_epi32(sum(values[0]), sum(values[1])),
        _mm256_packs_epi32(sum(values[2]), sum(values[3])));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm256_permutevar8x32_epi32(packed, order));
  }
};

}  // namespace
}  // namespace quaver
