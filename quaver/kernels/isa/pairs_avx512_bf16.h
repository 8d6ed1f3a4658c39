// Pairs of bf16 by AVX-512 BF16.
//
// Unnamed, so each includer compiles its own.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace quaver {
namespace {

struct Pairs {
  using Inputs = __m512i;
  using Weights = __m512i;

  static Inputs Broadcast(const uint16_t* from) {
    int32_t pair;
    __builtin_memcpy(&pair, from, sizeof(pair));
    return _mm512_set1_epi32(pair);
  }
  static Weights LoadWeights(const uint16_t* from) {
    return _mm512_load_si512(from);
  }
  static __m512 Add(__m512 sums, Inputs x, Weights w) {
    return _mm512_dpbf16_ps(sums, reinterpret_cast<__m512bh>(x),
                            reinterpret_cast<__m512bh>(w));
  }
  static void Prefetch(const uint16_t* from) {
    _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0);
  }
  static void StoreRounded(__m512 value, uint16_t* to) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value)));
  }
};

// 14 rows of two sums, two weights and one input fill 31 of 32 registers.
constexpr size_t kTileRows = 14;

}  // namespace
}  // namespace quaver
