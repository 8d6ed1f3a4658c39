// What tests of fused.h share: values, comparisons, and slopes of plain code.
#pragma once

#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/train/fused.h"

namespace quaver::fused {

using Doubles = std::vector<double>;

// Of 1 + the value: some dozen roundings to 2^-24, or of bf16 a handful to
// 2^-9, of which a norm's are divided by a row's deviation.
template <typename T>
inline constexpr double kTolerance = std::is_same_v<T, float> ? 1e-5 : 0.02;

inline double Value(float x) { return x; }
inline double Value(Bf16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
}

inline void Round(const std::vector<float>& x, std::vector<float>* to) {
  *to = x;
}
inline void Round(const std::vector<float>& x, std::vector<Bf16>* to) {
  to->resize(x.size());
  ToBf16(x.data(), 0, static_cast<int64_t>(x.size()), to->data());
}

template <typename T>
std::vector<T> Normals(int64_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> x(count);
  for (float& value : x) value = static_cast<float>(random.Normal());
  std::vector<T> rounded;
  Round(x, &rounded);
  return rounded;
}

// Columns [at, at + width) of rows that are `stride` long.
template <typename T>
Doubles Columns(const std::vector<T>& x, int64_t stride, int64_t at,
                int64_t width) {
  Doubles columns;
  for (size_t row = 0; row < x.size(); row += stride) {
    for (int64_t c = at; c < at + width; ++c) {
      columns.push_back(Value(x[row + c]));
    }
  }
  return columns;
}

template <typename T>
Doubles All(const std::vector<T>& x) {
  return Columns(x, 1, 0, 1);
}

template <typename T>
void ExpectSame(const std::vector<T>& got, const std::vector<T>& want) {
  ASSERT_EQ(got.size(), want.size());
  EXPECT_EQ(std::memcmp(got.data(), want.data(), got.size() * sizeof(T)), 0);
}

inline void ExpectNear(const Doubles& got, const Doubles& want,
                       double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], want[i], tolerance * (1 + std::fabs(want[i]))) << i;
  }
}

inline double Dot(const Doubles& a, const Doubles& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// d loss / d field by central differences, within 1e-8.
template <typename In, typename Loss>
Doubles Slope(In in, Doubles In::* field, const Loss& loss) {
  constexpr double kStep = 1e-5;
  Doubles slope;
  for (double& x : in.*field) {
    const double at = x;
    x = at + kStep;
    const double above = loss(in);
    x = at - kStep;
    slope.push_back((above - loss(in)) / (2 * kStep));
    x = at;
  }
  return slope;
}

}  // namespace quaver::fused
