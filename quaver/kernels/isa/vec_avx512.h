// Vectors of floats for AVX-512 F, BW, DQ, VL: what the kernels' templates are
// written over.
//
// Unnamed, so each includer compiles its own.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace quaver {
namespace {

// Sixteen floats. `count` arguments may exceed kLanes.
struct Vec {
  using Float = __m512;
  static constexpr size_t kLanes = 16;

  // REQUIRES: count < kLanes.
  static __mmask16 First(size_t count) {
    return static_cast<__mmask16>((1u << count) - 1);
  }
  static Float Zero() { return _mm512_setzero_ps(); }
  static Float Set(float value) { return _mm512_set1_ps(value); }
  static Float Load(const float* from) { return _mm512_loadu_ps(from); }
  // A branch that is foretold costs less than a mask, a plain store is quicker
  // read again than a masked one.
  static Float LoadPart(const float* from, size_t count) {
    if (count >= kLanes) return Load(from);
    return _mm512_maskz_loadu_ps(First(count), from);
  }
  static void Store(float* to, Float value) { _mm512_storeu_ps(to, value); }
  static void StorePart(float* to, size_t count, Float value) {
    if (count >= kLanes) return Store(to, value);
    _mm512_mask_storeu_ps(to, First(count), value);
  }
  static Float FirstLanes(Float value, size_t count) {
    if (count >= kLanes) return value;
    return _mm512_maskz_mov_ps(First(count), value);
  }
  static Float Add(Float a, Float b) { return _mm512_add_ps(a, b); }
  static Float Sub(Float a, Float b) { return _mm512_sub_ps(a, b); }
  static Float Mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static Float Div(Float a, Float b) { return _mm512_div_ps(a, b); }
  static Float Max(Float a, Float b) { return _mm512_max_ps(a, b); }
  static Float Min(Float a, Float b) { return _mm512_min_ps(a, b); }
  static Float Sqrt(Float a) { return _mm512_sqrt_ps(a); }
  static Float MulAdd(Float a, Float b, Float c) {
    return _mm512_fmadd_ps(a, b, c);
  }
  static Float Round(Float a) {
    return _mm512_roundscale_ps(a,
                                _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  // REQUIRES: exponent is whole.
  static Float TimesPowerOfTwo(Float a, Float exponent) {
    return _mm512_scalef_ps(a, exponent);
  }
  static float Sum(Float a) { return _mm512_reduce_add_ps(a); }
  // Lane i is Sum(parts[i]), bit for bit: halves of two vectors are added at a
  // time.
  static Float SumEach(const Float parts[kLanes]) {
    constexpr int kLow = 0x44, kHigh = 0xEE, kEven = 0x88, kOdd = 0xDD;
    Float pairs[2], fours[4];
    for (size_t i = 0; i < 4; ++i) {
      for (size_t half = 0; half < 2; ++half) {
        const Float a = parts[8 * half + i], b = parts[8 * half + 4 + i];
        pairs[half] = Add(_mm512_shuffle_f32x4(a, b, kLow),
                          _mm512_shuffle_f32x4(a, b, kHigh));
      }
      fours[i] = Add(_mm512_shuffle_f32x4(pairs[0], pairs[1], kEven),
                     _mm512_shuffle_f32x4(pairs[0], pairs[1], kOdd));
    }
    for (size_t i = 0; i < 2; ++i) {
      pairs[i] = Add(_mm512_shuffle_ps(fours[2 * i], fours[2 * i + 1], kLow),
                     _mm512_shuffle_ps(fours[2 * i], fours[2 * i + 1], kHigh));
    }
    return Add(_mm512_shuffle_ps(pairs[0], pairs[1], kEven),
               _mm512_shuffle_ps(pairs[0], pairs[1], kOdd));
  }
  static float MaxOf(Float a) { return _mm512_reduce_max_ps(a); }
  static bool AnyAtLeast(Float a, Float b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ) != 0;
  }
  // rows[i][j] and rows[j][i] change places: in squares of four, then those.
  static void Transpose(Float rows[kLanes]) {
    Float fours[kLanes];
    for (size_t r = 0; r < kLanes; r += 4) {
      const __m512d a =
          _mm512_castps_pd(_mm512_unpacklo_ps(rows[r], rows[r + 1]));
      const __m512d b =
          _mm512_castps_pd(_mm512_unpackhi_ps(rows[r], rows[r + 1]));
      const __m512d c =
          _mm512_castps_pd(_mm512_unpacklo_ps(rows[r + 2], rows[r + 3]));
      const __m512d d =
          _mm512_castps_pd(_mm512_unpackhi_ps(rows[r + 2], rows[r + 3]));
      fours[r] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
      fours[r + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
      fours[r + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
      fours[r + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
    constexpr int kEven = 0x88, kOdd = 0xDD;
    for (size_t i = 0; i < 4; ++i) {
      const Float a = _mm512_shuffle_f32x4(fours[i], fours[4 + i], kEven);
      const Float b = _mm512_shuffle_f32x4(fours[i], fours[4 + i], kOdd);
      const Float c = _mm512_shuffle_f32x4(fours[8 + i], fours[12 + i], kEven);
      const Float d = _mm512_shuffle_f32x4(fours[8 + i], fours[12 + i], kOdd);
      rows[i] = _mm512_shuffle_f32x4(a, c, kEven);
      rows[4 + i] = _mm512_shuffle_f32x4(b, d, kEven);
      rows[8 + i] = _mm512_shuffle_f32x4(a, c, kOdd);
      rows[12 + i] = _mm512_shuffle_f32x4(b, d, kOdd);
    }
  }
  static void Prefetch(const float* from) {
    _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0);
  }
};

}  // namespace
}  // namespace quaver
