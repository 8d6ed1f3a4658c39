// Tests of the bf16 kernels: every table against the scalar definition, and
// rows that do not depend on other rows.
#include "quaver/kernels/bf16.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/kernels/guarded.h"
#include "quaver/kernels/kernels.h"
#include "quaver/kernels/product_case.h"

namespace quaver {
namespace {

float ToFloat(uint16_t half) {
  return std::bit_cast<float>(uint32_t{half} << 16);
}

struct Bf16Case : ProductCase {
  Bf16Pack pack;

  Bf16Case(size_t rows, size_t outputs, size_t inputs)
      : ProductCase{rows, outputs, inputs},
        pack(PackBf16(weight.data(), bias.data(), N, K)) {}

  std::vector<uint16_t> Round(const Bf16Kernels& kernels) const {
    const Guarded<uint16_t> rows(M * Bf16Stride(K));
    kernels.round(Guarded(x).get(), M, K, rows.get());
    return rows.ToVector(M * Bf16Stride(K));
  }

  std::vector<float> Run(const Bf16Kernels& kernels, Epilogue epilogue) const {
    const size_t stride = Bf16Stride(K);
    const Guarded<uint16_t> rows((M + kBf16SpareRows) * stride);
    kernels.round(Guarded(x).get(), M, K, rows.get());
    const Guarded halves(pack.halves);
    const Guarded biases(pack.bias);
    const Guarded<float> y(M * N);
    kernels.gemm(rows.get(), {halves.get(), biases.get(), N, K},
                 Guarded(residual).get(), M, epilogue, y.get(), N);
    return y.ToVector(M * N);
  }

  // The header's bound of two orders of a sum, with the epilogue's roundings,
  // slopes below 1.13, and gelu's own error of 1e-6. Rounding makes magnitudes
  // greater by 2^-7 at most.
  float Tolerance(size_t m, size_t n) const {
    return 1e-6f +
           2.26f * static_cast<float>(K + 4) * 0x1.02p-24f * Magnitude(m, n);
  }
};

class Bf16Test : public testing::TestWithParam<const Kernels*> {
 protected:
  const Bf16Kernels& bf16() const { return GetParam()->bf16; }
  static const Bf16Kernels& scalar() {
    return AvailableKernels().front()->bf16;
  }
  void ExpectNear(const Bf16Case& test, Epilogue epilogue) const {
    const std::vector<float> wanted = test.Run(scalar(), epilogue);
    const std::vector<float> found = test.Run(bf16(), epilogue);
    EXPECT_TRUE(SameBits(test.Round(bf16()), test.Round(scalar())));
    for (size_t i = 0; i < wanted.size(); ++i) {
      const size_t m = i / test.N, n = i % test.N;
      ASSERT_NEAR(found[i], wanted[i], test.Tolerance(m, n)) << fmt::format(
          "M {}, N {}, K {}, epilogue {}, row {}, output {}", test.M, test.N,
          test.K, static_cast<int>(epilogue), m, n);
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Isa, Bf16Test, EveryTable(), TableName);

TEST_P(Bf16Test, IsNearScalarOverAwkwardSizes) {
  for (const size_t M : kAwkward) {
    for (const size_t N : kAwkward) {
      const size_t K = kAwkward[(M + 2 * N) % std::size(kAwkward)];
      ExpectNear(Bf16Case(M, N, K), kEpilogues[(M + N) % 3]);
    }
  }
}

TEST_P(Bf16Test, IsNearScalarOnAModelsShapes) {
  for (const Epilogue epilogue : kEpilogues) {
    ExpectNear(Bf16Case(11, 384, 384), epilogue);
    ExpectNear(Bf16Case(37, 96, 1536), epilogue);
  }
}

// Two sweeps of the tiles, the second of one row.
TEST_P(Bf16Test, IsNearScalarOnManyRows) {
  ExpectNear(Bf16Case(513, 33, 64), Epilogue::kBias);
  ExpectNear(Bf16Case(700, 32, 33), Epilogue::kBiasResidual);
}

TEST_P(Bf16Test, ARowDoesNotDependOnOthers) {
  // Inputs of more than one part, rows of more than few blocks.
  for (const auto& [rows, inputs] :
       {std::pair<size_t, size_t>{70, 70}, {140, 450}}) {
    Bf16Case some(rows, 40, inputs);
    std::vector<float> wanted = some.Run(bf16(), Epilogue::kBiasResidual);
    for (size_t M = rows - 1; M >= 1; M -= M > 40 ? 3 : 1) {
      some.Shorten(M);
      wanted.resize(M * some.N);
      EXPECT_TRUE(SameBits(some.Run(bf16(), Epilogue::kBiasResidual), wanted))
          << "of " << M << " rows";
    }
  }
}

TEST_P(Bf16Test, PanelsMayBeComputedApart) {
  const Bf16Case all(19, 96, 40);
  const std::vector<float> wanted = all.Run(bf16(), Epilogue::kBiasResidual);
  const size_t stride = Bf16Stride(all.K);
  const Guarded<uint16_t> rows((all.M + kBf16SpareRows) * stride);
  bf16().round(all.x.data(), all.M, all.K, rows.get());
  const Guarded halves(all.pack.halves);
  const Guarded y(all.residual);  // the residual may be the result
  for (const size_t begin : {size_t{32}, size_t{0}}) {
    const size_t N = begin == 0 ? 32 : 64;
    bf16().gemm(
        rows.get(),
        {halves.get() + begin * stride, all.pack.bias.data() + begin, N, all.K},
        y.get() + begin, all.M, Epilogue::kBiasResidual, y.get() + begin,
        all.N);
  }
  EXPECT_TRUE(SameBits(y.ToVector(all.M * all.N), wanted));
}

// What rounding does to both factors, 2^-8 each.
TEST_P(Bf16Test, ProductsAreNearThoseOfFloats) {
  const Bf16Case test(9, 50, 200);
  const std::vector<float> found = test.Run(bf16(), Epilogue::kBias);
  for (size_t m = 0; m < test.M; ++m) {
    for (size_t n = 0; n < test.N; ++n) {
      double sum = test.bias[n], magnitude = std::fabs(sum);
      for (size_t k = 0; k < test.K; ++k) {
        const double product =
            double{test.x[m * test.K + k]} * test.weight[n * test.K + k];
        sum += product;
        magnitude += std::fabs(product);
      }
      EXPECT_NEAR(found[m * test.N + n], sum, (0x1p-7 + 1e-4) * magnitude);
    }
  }
}

TEST_P(Bf16Test, GeluIsWithinAMillionth) {
  const std::vector<float> x = GeluInputs(), weight(x.size());
  const Bf16Pack pack = PackBf16(weight.data(), x.data(), x.size(), 1);
  const Guarded halves(pack.halves);
  const Guarded<uint16_t> rows((1 + kBf16SpareRows) * Bf16Stride(1));
  std::vector<float> y(x.size());
  bf16().gemm(rows.get(), {halves.get(), pack.bias.data(), x.size(), 1},
              nullptr, 1, Epilogue::kBiasGelu, y.data(), x.size());
  ExpectGelu(x, y, 1e-6);
}

TEST_P(Bf16Test, RoundsToTheNearestAndToEven) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<std::pair<float, uint16_t>> cases = {
      {1.0f, 0x3F80},
      {-2.5f, 0xC020},
      {0x1.01p0f, 0x3F80},
      {0x1.03p0f, 0x3F82},  // halfway: even
      {0x1.010002p0f, 0x3F81},
      {0.0f, 0x0000},
      {-0.0f, 0x8000},
      {0x1p-126f, 0x0080},
      {0x1p-127f, 0x0000},
      {-0x1p-149f, 0x8000},  // taken for 0
      {3.4028235e38f, 0x7F80},
      {kInfinity, 0x7F80},
      {-kInfinity, 0xFF80},
      {kNan, 0x7FC0},
      {std::bit_cast<float>(0xFF800001), 0xFFC0}};
  std::vector<float> x;
  for (const auto& [value, half] : cases) x.push_back(value);
  const size_t stride = Bf16Stride(x.size());
  const Guarded<uint16_t> rows(stride);
  bf16().round(Guarded(x).get(), 1, x.size(), rows.get());
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(rows.get()[i], cases[i].second) << cases[i].first;
  }
  for (size_t i = cases.size(); i < stride; ++i) EXPECT_EQ(rows.get()[i], 0);
}

TEST_P(Bf16Test, RoundsAsScalarDoes) {
  constexpr size_t kCount = 1 << 16;
  Random random(9);
  std::vector<float> x(kCount);
  for (float& value : x) {
    value =
        std::bit_cast<float>(static_cast<uint32_t>(random.Below(1ull << 32)));
  }
  std::vector<uint16_t> wanted(kCount), found(kCount);
  scalar().round(x.data(), 1, kCount, wanted.data());
  bf16().round(x.data(), 1, kCount, found.data());
  EXPECT_TRUE(SameBits(found, wanted));
}

// A value that is no number stays in its row and leaves no buffer.
TEST_P(Bf16Test, NumbersThatAreNoneStayInTheirRow) {
  Bf16Case test(4, 5, 70);
  test.x[4] = std::numeric_limits<float>::quiet_NaN();
  test.x[80] = std::numeric_limits<float>::infinity();
  test.x[150] = -std::numeric_limits<float>::infinity();
  const std::vector<float> y = test.Run(bf16(), Epilogue::kBias);
  for (size_t n = 0; n < test.N; ++n) {
    EXPECT_TRUE(std::isnan(y[n]));
    EXPECT_FALSE(std::isfinite(y[test.N + n]));
    EXPECT_FALSE(std::isfinite(y[2 * test.N + n]));
    EXPECT_TRUE(std::isfinite(y[3 * test.N + n]));
  }
}

TEST(PackBf16Test, WeightsLieInPairsOfInputs) {
  constexpr size_t N = 40, K = 35;
  const std::vector<float> weight = RandomFloats(N * K, 5);
  const std::vector<float> bias(N, 0.25f);
  const Bf16Pack pack = PackBf16(weight.data(), bias.data(), N, K);
  ASSERT_EQ(pack.halves.size(), 64u * 64u);
  ASSERT_EQ(pack.bias.size(), 64u);
  size_t used = 0;
  for (size_t n = 0; n < N; ++n) {
    EXPECT_EQ(pack.bias[n], 0.25f);
    for (size_t k = 0; k < K; ++k) {
      const uint16_t half =
          pack.halves[n / 32 * 32 * 64 + k / 2 * 64 + n % 32 * 2 + k % 2];
      EXPECT_NEAR(ToFloat(half), weight[n * K + k],
                  0x1p-8f * std::fabs(weight[n * K + k]));
      used += half != 0;
    }
  }
  EXPECT_EQ(std::count(pack.halves.begin(), pack.halves.end(), 0),
            static_cast<std::ptrdiff_t>(pack.halves.size() - used));
}

}  // namespace
}  // namespace quaver
