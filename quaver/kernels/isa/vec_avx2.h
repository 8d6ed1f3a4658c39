// Vectors of floats for AVX2 and FMA: what the kernels' templates are written
// over.
//
// Unnamed, so each includer compiles its own.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace quaver {
namespace {

// Eight floats. `count` arguments may exceed kLanes.
struct Vec {
  using Float = __m256;
  static constexpr size_t kLanes = 8;

  // REQUIRES: count < kLanes.
  static __m256i First(size_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Float Zero() { return _mm256_setzero_ps(); }
  static Float Set(float value) { return _mm256_set1_ps(value); }
  static Float Load(const float* from) { return _mm256_loadu_ps(from); }
  static Float LoadPart(const float* from, size_t count) {
    if (count >= kLanes) return Load(from);
    return _mm256_maskload_ps(from, First(count));
  }
  static void Store(float* to, Float value) { _mm256_storeu_ps(to, value); }
  static void StorePart(float* to, size_t count, Float value) {
    if (count >= kLanes) return Store(to, value);
    _mm256_maskstore_ps(to, First(count), value);
  }
  static Float FirstLanes(Float value, size_t count) {
    if (count >= kLanes) return value;
    return _mm256_and_ps(value, _mm256_castsi256_ps(First(count)));
  }
  static Float Add(Float a, Float b) { return _mm256_add_ps(a, b); }
  static Float Sub(Float a, Float b) { return _mm256_sub_ps(a, b); }
  static Float Mul(Float a, Float b) { return _mm256_mul_ps(a, b); }
  static Float Div(Float a, Float b) { return _mm256_div_ps(a, b); }
  static Float Max(Float a, Float b) { return _mm256_max_ps(a, b); }
  static Float Min(Float a, Float b) { return _mm256_min_ps(a, b); }
  static Float Sqrt(Float a) { return _mm256_sqrt_ps(a); }
  static Float MulAdd(Float a, Float b, Float c) {
    return _mm256_fmadd_ps(a, b, c);
  }
  static Float Round(Float a) {
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  // REQUIRES: exponent is whole, in [-126, 127].
  static Float TimesPowerOfTwo(Float a, Float exponent) {
    const __m256i biased =
        _mm256_add_epi32(_mm256_cvtps_epi32(exponent), _mm256_set1_epi32(127));
    return Mul(a, _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23)));
  }
  static float Sum(Float a) {
    const __m128 four =
        _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  // Lane i is Sum(parts[i]), bit for bit: halves of two vectors are added at a
  // time.
  static Float SumEach(const Float parts[kLanes]) {
    constexpr int kFirst = 0x20, kSecond = 0x31;
    constexpr int kLow = 0x44, kHigh = 0xEE, kEven = 0x88, kOdd = 0xDD;
    Float pairs[4], fours[2];
    for (size_t i = 0; i < 4; ++i) {
      pairs[i] = Add(_mm256_permute2f128_ps(parts[i], parts[4 + i], kFirst),
                     _mm256_permute2f128_ps(parts[i], parts[4 + i], kSecond));
    }
    for (size_t i = 0; i < 2; ++i) {
      fours[i] = Add(_mm256_shuffle_ps(pairs[2 * i], pairs[2 * i + 1], kLow),
                     _mm256_shuffle_ps(pairs[2 * i], pairs[2 * i + 1], kHigh));
    }
    return Add(_mm256_shuffle_ps(fours[0], fours[1], kEven),
               _mm256_shuffle_ps(fours[0], fours[1], kOdd));
  }
  static float MaxOf(Float a) {
    const __m128 four =
        _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }
  static bool AnyAtLeast(Float a, Float b) {
    return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ)) != 0;
  }
  // rows[i][j] and rows[j][i] change places: in squares of four, then those.
  static void Transpose(Float rows[kLanes]) {
    Float fours[kLanes];
    for (size_t r = 0; r < kLanes; r += 4) {
      const Float a = _mm256_unpacklo_ps(rows[r], rows[r + 1]);
      const Float b = _mm256_unpackhi_ps(rows[r], rows[r + 1]);
      const Float c = _mm256_unpacklo_ps(rows[r + 2], rows[r + 3]);
      const Float d = _mm256_unpackhi_ps(rows[r + 2], rows[r + 3]);
      constexpr int kLow = 0x44, kHigh = 0xEE;
      fours[r] = _mm256_shuffle_ps(a, c, kLow);
      fours[r + 1] = _mm256_shuffle_ps(a, c, kHigh);
      fours[r + 2] = _mm256_shuffle_ps(b, d, kLow);
      fours[r + 3] = _mm256_shuffle_ps(b, d, kHigh);
    }
    constexpr int kLow = 0x20, kHigh = 0x31;
    for (size_t i = 0; i < 4; ++i) {
      rows[i] = _mm256_permute2f128_ps(fours[i], fours[4 + i], kLow);
      rows[4 + i] = _mm256_permute2f128_ps(fours[i], fours[4 + i], kHigh);
    }
  }
  static void Prefetch(const float* from) {
    _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0);
  }
};

}  // namespace
}  // namespace quaver
