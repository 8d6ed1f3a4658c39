// Vectors of sixteen for the loops of fused.h, which a compiler splits where
// registers are shorter: what it makes of plain loops with branches and narrow
// types is five times slower.
//
// Included once for each instruction set by fused.cc, with QUAVER_SET its name,
// QUAVER_TARGET its attribute, and QUAVER_AVX512 1 where it has AVX-512, 2
// where it has bf16 instructions, too.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "quaver/train/fused.h"

namespace quaver::fused::QUAVER_SET {

// Everything here has to become part of its caller; lambdas, too.
#define QUAVER_INLINE static inline QUAVER_TARGET __attribute__((always_inline))
#define QUAVER_BODY QUAVER_TARGET __attribute__((always_inline))

// Sixteen elements, whatever the instruction set makes of them.
constexpr int64_t kLanes = 16;
using Floats = float __attribute__((vector_size(64)));
using Uints = uint32_t __attribute__((vector_size(64)));
using Halves = uint16_t __attribute__((vector_size(32)));

// The same bits; std::bit_cast is not for this instruction set.
template <typename To, typename From>
QUAVER_INLINE To Cast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

QUAVER_INLINE float Load(float x) { return x; }
QUAVER_INLINE float Load(Bf16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
}
QUAVER_INLINE void Store(float value, float* to) { *to = value; }
// Rounds to nearest, ties to even. NaN as processors make it stays one; any
// other may not.
QUAVER_INLINE void Store(float value, Bf16* to) {
  const auto bits = std::bit_cast<uint32_t>(value);
  to->bits = static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}
// Every NaN stays one.
QUAVER_INLINE void StoreAny(float value, Bf16* to) {
  const auto bits = std::bit_cast<uint32_t>(value);
  Store(value, to);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) {
    to->bits = static_cast<uint16_t>((bits >> 16) | 0x40);
  }
}

QUAVER_INLINE Floats LoadVector(const float* x) {
  Floats value;
  std::memcpy(&value, x, sizeof(value));
  return value;
}
// (GCC 12 takes the unmasked conversions for reads of nothing in particular.)
QUAVER_INLINE Floats LoadVector(const Bf16* x) {
  Halves halves;
  std::memcpy(&halves, x, sizeof(halves));
#if QUAVER_AVX512
  const auto wide =
      Cast<Uints>(_mm512_maskz_cvtepu16_epi32(0xFFFF, Cast<__m256i>(halves)));
#else
  const Uints wide = __builtin_convertvector(halves, Uints);
#endif
  return Cast<Floats>(wide << 16);
}
QUAVER_INLINE void StoreVector(Floats value, float* to) {
  std::memcpy(to, &value, sizeof(value));
}
QUAVER_INLINE void StoreVector(Floats value, Bf16* to) {
#if QUAVER_AVX512 == 2
  const __m256bh halves = _mm512_cvtneps_pbh(Cast<__m512>(value));
#else
  const auto bits = Cast<Uints>(value);
  const Uints rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
#if QUAVER_AVX512
  const __m256i halves =
      _mm512_maskz_cvtepi32_epi16(0xFFFF, Cast<__m512i>(rounded));
#else
  const Halves halves = __builtin_convertvector(rounded, Halves);
#endif
#endif
  std::memcpy(static_cast<void*>(to), &halves, sizeof(halves));
}

// How many of the sixteen count: all, or the first of them at a row's end.
struct All {};
struct First {
  int64_t count;
};
template <typename T>
QUAVER_INLINE Floats LoadLanes(const T* x, All) {
  return LoadVector(x);
}
template <typename T>
QUAVER_INLINE Floats LoadLanes(const T* x, First lanes) {
  T part[kLanes] = {};
  std::memcpy(static_cast<void*>(part), x, lanes.count * sizeof(T));
  return LoadVector(part);
}
template <typename T>
QUAVER_INLINE void StoreLanes(Floats value, All, T* to) {
  StoreVector(value, to);
}
template <typename T>
QUAVER_INLINE void StoreLanes(Floats value, First lanes, T* to) {
  T part[kLanes];
  StoreVector(value, part);
  std::memcpy(static_cast<void*>(to), part, lanes.count * sizeof(T));
}
constexpr Uints kOrder = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
// Lanes that do not count become `other`.
QUAVER_INLINE Floats Only(Floats value, All, float) { return value; }
QUAVER_INLINE Floats Only(Floats value, First lanes, float other) {
  const auto count = static_cast<uint32_t>(std::min(lanes.count, kLanes));
  return kOrder < count ? value : Floats{} + other;
}

// body(c, lanes) for the elements [0, n), sixteen at a time.
template <typename Body>
QUAVER_INLINE void ForVectors(int64_t n, const Body& body) {
  int64_t c = 0;
  for (; c + kLanes <= n; c += kLanes) body(c, All{});
  if (c < n) body(c, First{n - c});
}
QUAVER_INLINE Floats Least(Floats a, Floats b) { return a < b ? a : b; }
QUAVER_INLINE Floats Greatest(Floats a, Floats b) { return a > b ? a : b; }
// Of all lanes, half of them with the other half until one is left.
QUAVER_INLINE float Sum(Floats x) {
  x += __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3,
                               4, 5, 6, 7);
  x += __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8,
                               9, 10, 11);
  return (x[0] + x[2]) + (x[1] + x[3]);
}
QUAVER_INLINE float Greatest(Floats x) {
  x = Greatest(x, __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0,
                                          1, 2, 3, 4, 5, 6, 7));
  x = Greatest(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13,
                                          14, 15, 8, 9, 10, 11));
  return std::max(std::max(x[0], x[1]), std::max(x[2], x[3]));
}

// e^x by 2^k times a polynomial of degree 6 (Cephes): 2 ulp; e^-87.3 below
// that.
QUAVER_INLINE Floats Exp(Floats x) {
  x = Least(Greatest(x, Floats{} - 87.3f), Floats{} + 88.3f);
  const Floats shifted = x * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: rounds
  const Floats k = shifted - 12582912.0f;
  const Floats r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
  Floats p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // The low bits of `shifted` are k.
  return p * Cast<Floats>((Cast<Uints>(shifted) + 127) << 23);
}

}  // namespace quaver::fused::QUAVER_SET
