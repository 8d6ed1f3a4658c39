// For tests of products: operands, and what is asked of every table.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

inline constexpr Epilogue kEpilogues[] = {Epilogue::kBias, Epilogue::kBiasGelu,
                                          Epilogue::kBiasResidual};

// Sizes about those of vectors, tiles and panels.
inline constexpr size_t kAwkward[] = {1,  3,  7,  8,  9,  15, 16, 17,
                                      31, 32, 33, 63, 65, 96, 130};

inline std::vector<float> RandomFloats(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.Normal());
  return values;
}

// The operands of y = epilogue(x W^T + b).
struct ProductCase {
  size_t M, N, K;
  std::vector<float> x = RandomFloats(M * K, 1);         // [M, K]
  std::vector<float> weight = RandomFloats(N * K, 2);    // [N, K]
  std::vector<float> bias = RandomFloats(N, 3);          // [N]
  std::vector<float> residual = RandomFloats(M * N, 4);  // [M, N]

  // Keeps the first rows. REQUIRES: count <= M.
  void Shorten(size_t count) {
    M = count;
    x.resize(M * K);
    residual.resize(M * N);
  }
  // Of all that is added up for one output.
  float Magnitude(size_t m, size_t n) const {
    float magnitude = std::fabs(bias[n]) + std::fabs(residual[m * N + n]);
    for (size_t k = 0; k < K; ++k) {
      magnitude += std::fabs(x[m * K + k] * weight[n * K + k]);
    }
    return magnitude;
  }
};

template <typename T>
bool SameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// Values of [-12, 12], as the biases of a product whose weights are 0.
inline std::vector<float> GeluInputs() {
  std::vector<float> x(24 * 1024 + 1);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = (static_cast<float>(i) - 12 * 1024) / 1024;
  }
  return x;
}

inline void ExpectGelu(const std::vector<float>& x, const std::vector<float>& y,
                       double tolerance) {
  for (size_t i = 0; i < x.size(); ++i) {
    const double exact = 0.5 * x[i] * (1 + std::erf(x[i] * M_SQRT1_2));
    ASSERT_NEAR(y[i], exact, tolerance) << "gelu of " << x[i];
  }
}

// INSTANTIATE_TEST_SUITE_P(Isa, SomeTest, EveryTable(), TableName);
inline auto EveryTable() {
  return testing::ValuesIn(AvailableKernels().begin(),
                           AvailableKernels().end());
}
inline std::string TableName(
    const testing::TestParamInfo<const Kernels*>& info) {
  return info.param->name;
}

}  // namespace quaver
