// Tests of the int8 kernels: every table equals the scalar one bit for bit.
#include "quaver/kernels/int8.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "quaver/kernels/guarded.h"
#include "quaver/kernels/kernels.h"
#include "quaver/kernels/product_case.h"

namespace quaver {
namespace {

// Activations as gelu leaves them, and rows that are special.
std::vector<float> Activations(size_t M, size_t K) {
  std::vector<float> x = RandomFloats(M * K, 1);
  for (size_t m = 0; m < M; ++m) {
    float* row = x.data() + m * K;
    if (m % 7 == 1) std::fill_n(row, K, 0.0f);
    if (m % 7 == 2) std::fill_n(row, K, 3.5f);
    if (m % 7 == 3) std::fill_n(row, K, 1e-38f);
    if (m % 7 == 4) row[K / 2] = 1e4f;
    for (size_t k = 0; m % 7 == 5 && k < K; ++k) row[k] = -std::fabs(row[k]);
  }
  return x;
}

struct Product : ProductCase {
  Int8Pack pack;

  Product(size_t rows, size_t outputs, size_t inputs)
      : ProductCase{rows, outputs, inputs, Activations(rows, inputs)},
        pack(PackInt8(weight.data(), bias.data(), N, K)) {}

  struct Result {
    std::vector<uint8_t> codes;
    std::vector<Int8Row> rows;
    std::vector<float> y;
  };
  Result Run(const Int8Kernels& kernels, Epilogue epilogue) const {
    const size_t stride = Int8Stride(K);
    const Guarded<uint8_t> codes((M + kInt8SpareRows) * stride);
    const Guarded<Int8Row> rows(M);
    kernels.quantise(Guarded(x).get(), M, K, codes.get(), rows.get());
    const Guarded packed(pack.codes);
    const Guarded scales(pack.scales), sums(pack.sums), biases(pack.bias);
    const Int8Weight packed_weight{
        packed.get(), scales.get(), sums.get(), biases.get(), N, K};
    const Guarded<float> y(M * N);
    kernels.gemm(codes.get(), rows.get(), packed_weight,
                 Guarded(residual).get(), M, epilogue, y.get(), N);
    return {{codes.get(), codes.get() + M * stride},
            {rows.get(), rows.get() + M},
            {y.get(), y.get() + M * N}};
  }
};

class Int8Test : public testing::TestWithParam<const Kernels*> {
 protected:
  const Int8Kernels& int8() const { return GetParam()->int8; }
  static const Int8Kernels& scalar() {
    return AvailableKernels().front()->int8;
  }
  void ExpectSame(const Product& product, Epilogue epilogue) const {
    SCOPED_TRACE(fmt::format("M {}, N {}, K {}, epilogue {}", product.M,
                             product.N, product.K, static_cast<int>(epilogue)));
    const Product::Result wanted = product.Run(scalar(), epilogue);
    const Product::Result found = product.Run(int8(), epilogue);
    EXPECT_TRUE(SameBits(found.codes, wanted.codes));
    EXPECT_TRUE(SameBits(found.rows, wanted.rows));
    EXPECT_TRUE(SameBits(found.y, wanted.y));
  }
};

INSTANTIATE_TEST_SUITE_P(Isa, Int8Test, EveryTable(), TableName);

TEST_P(Int8Test, EqualsScalarOverAwkwardSizes) {
  for (const size_t M : kAwkward) {
    for (const size_t N : kAwkward) {
      const size_t K = kAwkward[(M + 2 * N) % std::size(kAwkward)];
      ExpectSame(Product(M, N, K), kEpilogues[(M + N) % 3]);
    }
  }
}

TEST_P(Int8Test, EqualsScalarOnAModelsShapes) {
  for (const Epilogue epilogue : kEpilogues) {
    ExpectSame(Product(11, 384, 384), epilogue);
    ExpectSame(Product(37, 96, 1536), epilogue);
  }
}

// Two sweeps of the tiles, the second of one row.
TEST_P(Int8Test, EqualsScalarOnManyRows) {
  ExpectSame(Product(513, 33, 64), Epilogue::kBias);
  ExpectSame(Product(700, 32, 65), Epilogue::kBiasResidual);
}

TEST_P(Int8Test, ARowDoesNotDependOnOthers) {
  constexpr size_t kRows = 70;
  const Product all(kRows, 40, 70);
  const Product::Result wanted = all.Run(int8(), Epilogue::kBiasGelu);
  for (size_t M = 1; M < kRows; ++M) {
    Product few = all;
    few.Shorten(M);
    const Product::Result found = few.Run(int8(), Epilogue::kBiasGelu);
    EXPECT_TRUE(std::equal(found.y.begin(), found.y.end(), wanted.y.begin()))
        << "of " << M << " rows";
  }
}

TEST_P(Int8Test, TheResidualMayBeTheResult) {
  const Product product(40, 64, 64);
  const Product::Result wanted = product.Run(int8(), Epilogue::kBiasResidual);
  const size_t stride = Int8Stride(product.K);
  const Guarded<uint8_t> codes((product.M + kInt8SpareRows) * stride);
  std::copy(wanted.codes.begin(), wanted.codes.end(), codes.get());
  const Guarded packed(product.pack.codes);
  const Guarded scales(product.pack.scales), sums(product.pack.sums),
      biases(product.pack.bias);
  const Guarded y(product.residual);
  int8().gemm(codes.get(), wanted.rows.data(),
              {packed.get(), scales.get(), sums.get(), biases.get(), product.N,
               product.K},
              y.get(), product.M, Epilogue::kBiasResidual, y.get(), product.N);
  EXPECT_TRUE(std::equal(wanted.y.begin(), wanted.y.end(), y.get()));
}

// Sums of pairs would leave 16 bits, and all of them 24.
TEST_P(Int8Test, GreatestCodesAreSummedExactly) {
  constexpr size_t K = 3072;
  Product product(2, 32, K);
  std::fill(product.x.begin(), product.x.end(), 1.0f);
  std::fill(product.weight.begin(), product.weight.end(), -1.0f);
  product.bias.assign(product.N, 0.0f);
  product.pack = PackInt8(product.weight.data(), product.bias.data(), 32, K);
  for (const float y : product.Run(int8(), Epilogue::kBias).y) {
    EXPECT_NEAR(y, -static_cast<float>(K), 1e-2f);
  }
  ExpectSame(product, Epilogue::kBias);
}

TEST_P(Int8Test, CodesAreWithinHalfAStep) {
  const Product product(8, 1, 100);
  const Product::Result result = product.Run(int8(), Epilogue::kBias);
  for (size_t m = 0; m < product.M; ++m) {
    const Int8Row row = result.rows[m];
    for (size_t k = 0; k < product.K; ++k) {
      const float value = product.x[m * product.K + k];
      const auto code =
          static_cast<float>(result.codes[m * Int8Stride(product.K) + k]);
      // At the range's ends the zero's rounding may cost another half.
      EXPECT_NEAR(row.scale * code + row.offset, value,
                  1.01f * row.scale + 1e-30f)
          << "row " << m << ", value " << k;
    }
  }
}

// A product's error is what rounding does to both factors.
TEST_P(Int8Test, ProductsAreNearThoseOfFloats) {
  const Product product(9, 50, 200);
  const Product::Result result = product.Run(int8(), Epilogue::kBias);
  for (size_t m = 0; m < product.M; ++m) {
    for (size_t n = 0; n < product.N; ++n) {
      const float step = product.pack.scales[n];
      float sum = product.bias[n], bound = 1e-4f;
      for (size_t k = 0; k < product.K; ++k) {
        const float x = product.x[m * product.K + k];
        const float w = product.weight[n * product.K + k];
        sum += x * w;
        bound += std::fabs(x) * step / 2 +
                 (std::fabs(w) + step) * 1.01f * result.rows[m].scale;
      }
      EXPECT_NEAR(result.y[m * product.N + n], sum, bound);
    }
  }
}

TEST_P(Int8Test, ColumnsMayBeComputedPanelByPanel) {
  for (const size_t M : {1, 13, 40}) {
    const Product product(M, 70, 33);
    const Product::Result wanted = product.Run(int8(), Epilogue::kBiasResidual);
    const size_t input = Int8Stride(product.K), stride = product.N + 5;
    const Guarded<uint8_t> codes((M + kInt8SpareRows) * input);
    std::copy(wanted.codes.begin(), wanted.codes.end(), codes.get());
    const Guarded packed(product.pack.codes);
    const Guarded scales(product.pack.scales), sums(product.pack.sums),
        biases(product.pack.bias);
    // Padded rows: what is beside the outputs stays as it is.
    std::vector<float> y(M * stride, 99.0f);
    for (size_t m = 0; m < M; ++m) {
      std::copy_n(product.residual.data() + m * product.N, product.N,
                  y.data() + m * stride);
    }
    for (size_t begin = 0; begin < product.N; begin += kInt8Columns) {
      const size_t end = std::min(product.N, begin + kInt8Columns);
      int8().gemm(
          codes.get(), wanted.rows.data(),
          {packed.get() + begin * input, scales.get() + begin,
           sums.get() + begin, biases.get() + begin, end - begin, product.K},
          y.data() + begin, M, Epilogue::kBiasResidual, y.data() + begin,
          stride);
    }
    for (size_t m = 0; m < M; ++m) {
      for (size_t n = 0; n < stride; ++n) {
        ASSERT_EQ(y[m * stride + n],
                  n < product.N ? wanted.y[m * product.N + n] : 99.0f)
            << M << " rows, row " << m << ", column " << n;
      }
    }
  }
}

TEST_P(Int8Test, GeluIsWithinATenThousandth) {
  const std::vector<float> x = GeluInputs(), weight(x.size());
  const Int8Pack pack = PackInt8(weight.data(), x.data(), x.size(), 1);
  const Guarded packed(pack.codes);
  const Guarded scales(pack.scales), sums(pack.sums), biases(pack.bias);
  const Guarded<uint8_t> codes((1 + kInt8SpareRows) * Int8Stride(1));
  const Int8Row row{0, 0};
  std::vector<float> y(x.size());
  int8().gemm(
      codes.get(), &row,
      {packed.get(), scales.get(), sums.get(), biases.get(), x.size(), 1},
      nullptr, 1, Epilogue::kBiasGelu, y.data(), x.size());
  ExpectGelu(x, y, 1e-4);
}

TEST_P(Int8Test, ARangeMayBeGiven) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const auto& [low, high] : std::vector<std::pair<float, float>>{
           {-1, 2}, {0, 3.5f}, {-0.17f, 40}, {-7, 0}, {0, 0}, {-1e-3f, 1e4f}}) {
    for (const size_t K : {1, 15, 64, 70, 130}) {
      constexpr size_t kRows = 9;
      std::vector<float> x = Activations(kRows, K);
      if (K == 70) x[3] = kNan, x[4] = kInfinity, x[5] = -kInfinity;
      const Int8Row row = Int8RowOf(low, high);
      const auto quantise = [&](const Int8Kernels& kernels) {
        const Guarded<uint8_t> codes(kRows * Int8Stride(K));
        const Guarded<Int8Row> rows(kRows);
        kernels.quantise_with(row, Guarded(x).get(), kRows, K, codes.get(),
                              rows.get());
        for (size_t m = 0; m < kRows; ++m) {
          EXPECT_EQ(rows.get()[m].scale, row.scale);
          EXPECT_EQ(rows.get()[m].offset, row.offset);
        }
        return codes.ToVector(kRows * Int8Stride(K));
      };
      const std::vector<uint8_t> codes = quantise(int8());
      EXPECT_TRUE(SameBits(codes, quantise(scalar()))) << low << ", " << high;
      for (size_t i = 0; i < x.size(); ++i) {
        const auto code =
            static_cast<float>(codes[i / K * Int8Stride(K) + i % K]);
        const float held = std::isnan(x[i]) ? low : std::clamp(x[i], low, high);
        // The zero's rounding may cost half a step at the range's ends.
        EXPECT_NEAR(row.scale * code + row.offset, held, 1.01f * row.scale);
      }
    }
  }
}

// A row's own range is a range that may be given.
TEST_P(Int8Test, BothWaysToQuantiseAgree) {
  const Product product(8, 1, 100);
  const Product::Result own = product.Run(int8(), Epilogue::kBias);
  for (size_t m = 0; m < product.M; ++m) {
    const Guarded<uint8_t> codes(Int8Stride(product.K));
    Int8Row row;
    int8().quantise_with(own.rows[m], product.x.data() + m * product.K, 1,
                         product.K, codes.get(), &row);
    for (size_t k = 0; k < product.K; ++k) {
      EXPECT_NEAR(codes.get()[k], own.codes[m * Int8Stride(product.K) + k], 1);
    }
  }
}

// What nobody should feed it must not leave the buffers.
TEST_P(Int8Test, NumbersThatAreNoneAreHarmless) {
  Product product(3, 5, 70);
  product.x[4] = std::numeric_limits<float>::quiet_NaN();
  product.x[80] = std::numeric_limits<float>::infinity();
  product.x[150] = -std::numeric_limits<float>::infinity();
  product.Run(int8(), Epilogue::kBiasGelu);
}

TEST(PackInt8Test, WeightsAreWithinHalfAStep) {
  constexpr size_t N = 40, K = 70;
  const std::vector<float> weight = RandomFloats(N * K, 5);
  const std::vector<float> bias(N, 0.25f);
  const Int8Pack pack = PackInt8(weight.data(), bias.data(), N, K);
  ASSERT_EQ(pack.codes.size(), 64u * 128u);
  for (size_t n = 0; n < N; ++n) {
    EXPECT_EQ(pack.bias[n], 0.25f);
    for (size_t k = 0; k < K; ++k) {
      const int8_t code =
          pack.codes[n / 32 * 32 * 128 + k / 4 * 128 + n % 32 * 4 + k % 4];
      EXPECT_NEAR(pack.scales[n] * code, weight[n * K + k],
                  0.501f * pack.scales[n]);
    }
  }
  EXPECT_EQ(std::count(pack.scales.begin() + N, pack.scales.end(), 0.0f), 24);
}

}  // namespace
}  // namespace quaver
