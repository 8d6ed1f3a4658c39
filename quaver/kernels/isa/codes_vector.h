// Rows to codes over one vector type, for int8_vector.h and dense_vector.h: the
// includer defines Vec and Bytes beforehand.
//
// Everything here is unnamed, so each includer compiles its own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quaver/kernels/int8.h"
#include "quaver/kernels/isa/int8_gelu.h"

namespace quaver {
namespace {

// What maps a row's values onto the codes.
struct CodeMap {
  float inverse;
  int zero;
};

// Between the ends of a row, the least and the greatest of all lanes.
CodeMap MapBetween(Vec::Float least, Vec::Float greatest, Int8Row* row) {
  const float low = -Vec::MaxOf(Vec::Sub(Vec::Zero(), least));
  const float range = Vec::MaxOf(greatest) - low;
  const float inverse = range > kInt8LeastRange ? 255 / range : 0;
  const int zero = Bytes::Round(-low * inverse);
  row->scale = range > kInt8LeastRange ? range / 255 : 0;
  row->offset = -row->scale * static_cast<float>(zero);
  return {inverse, zero};
}

CodeMap MapOf(const Int8Row& row) {
  const float inverse = row.scale > 0 ? 1 / row.scale : 0;
  return {inverse, Bytes::Round(-row.offset * inverse)};
}

// The codes of held(x[k] / scale), Int8Stride(K) of them: zero's in the
// padding.
template <typename Hold>
void StoreCodes(const float* x, size_t K, CodeMap map, const Hold& held,
                uint8_t* codes) {
  constexpr size_t kLanes = Vec::kLanes;
  constexpr size_t kAtOnce = 4 * kLanes;  // vectors' codes side by side
  static_assert(kInt8Inputs % kAtOnce == 0);
  const size_t stride = Int8Stride(K);
  const Vec::Float factor = Vec::Set(map.inverse);
  const auto store = [&](size_t k, auto load) {
    const Vec::Float values[4] = {
        held(Vec::Mul(load(k), factor)),
        held(Vec::Mul(load(k + kLanes), factor)),
        held(Vec::Mul(load(k + 2 * kLanes), factor)),
        held(Vec::Mul(load(k + 3 * kLanes), factor))};
    Bytes::StoreCodes(values, map.zero, codes + k);
  };
  size_t k = 0;
  for (; k + kAtOnce <= K; k += kAtOnce) {
    store(k, [&](size_t at) { return Vec::Load(x + at); });
  }
  for (; k < stride; k += kAtOnce) {
    store(k, [&](size_t at) {
      return at < K ? Vec::LoadPart(x + at, K - at) : Vec::Zero();
    });
  }
}

void StoreCodes(const float* x, size_t K, CodeMap map, uint8_t* codes) {
  StoreCodes(x, K, map, [](Vec::Float value) { return value; }, codes);
}

// Values beyond the ends of the codes get the code of the nearest.
void StoreHeldCodes(const float* x, size_t K, CodeMap map, uint8_t* codes) {
  const Vec::Float low = Vec::Set(static_cast<float>(-map.zero));
  const Vec::Float high = Vec::Set(static_cast<float>(255 - map.zero));
  // Max gives its second operand where the first is no number.
  const auto held = [&](Vec::Float value) {
    return Vec::Min(Vec::Max(value, low), high);
  };
  StoreCodes(x, K, map, held, codes);
}

}  // namespace
}  // namespace quaver
