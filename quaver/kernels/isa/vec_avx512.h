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

  static __mmask16 First(size_t count) {
    return count >= kLanes ? 0xFFFF : static_cast<__mmask16>((1u << count) - 1);
  }
  static Float Zero() { return _mm512_setzero_ps(); }
  static Float Set(float value) { return _mm512_set1_ps(value); }
  static Float Load(const float* from) { return _mm512_loadu_ps(from); }
  static Float LoadPart(const float* from, size_t count) {
    return _mm512_maskz_loadu_ps(First(count), from);
  }
  static void Store(float* to, Float value) { _mm512_storeu_ps(to, value); }
  static void StorePart(float* to, size_t count, Float value) {
    _mm512_mask_storeu_ps(to, First(count), value);
  }
  static Float FirstLanes(Float value, size_t count) {
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
  static float MaxOf(Float a) { return _mm512_reduce_max_ps(a); }
  static bool AnyAtLeast(Float a, Float b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ) != 0;
  }
  static void Prefetch(const float* from) {
    _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0);
  }
};

}  // namespace
}  // namespace quaver
