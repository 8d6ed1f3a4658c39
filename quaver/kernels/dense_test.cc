// Tests of the dense kernels: every table against the scalar definition, and
// rows that do not depend on other rows.
#include "quaver/kernels/dense.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "quaver/kernels/guarded.h"
#include "quaver/kernels/kernels.h"
#include "quaver/kernels/product_case.h"

namespace quaver {
namespace {

constexpr float kSingleEpsilon = 0x1.0p-24f;

struct GemmCase : ProductCase {
  std::vector<float> Run(const DenseKernels& dense, Epilogue epilogue) const {
    const Guarded<float> packed(dense.packed_size(N, K));
    dense.pack(Guarded(weight).get(), N, K, packed.get());
    const Guarded<float> y(M * N);
    dense.gemm(Guarded(x).get(), packed.get(), Guarded(bias).get(),
               Guarded(residual).get(), M, N, K, epilogue, y.get(), N);
    return y.ToVector(M * N);
  }

  // Two orders of summing K products of size |x w| differ by at most
  // 2 K eps sum |x w|; the epilogues have slopes below 1.13 and add two
  // roundings, and gelu has an error of its own of 1e-6.
  float Tolerance(size_t m, size_t n) const {
    return 1e-6f +
           2.26f * static_cast<float>(K + 2) * kSingleEpsilon * Magnitude(m, n);
  }
};

class DenseTest : public testing::TestWithParam<const Kernels*> {
 protected:
  const DenseKernels& dense() const { return GetParam()->dense; }
  static const DenseKernels& scalar() {
    return AvailableKernels().front()->dense;
  }
};

INSTANTIATE_TEST_SUITE_P(Isa, DenseTest, EveryTable(), TableName);

void ExpectEqualProducts(const DenseKernels& dense, const DenseKernels& scalar,
                         const GemmCase& test, Epilogue epilogue) {
  const std::vector<float> wanted = test.Run(scalar, epilogue);
  const std::vector<float> found = test.Run(dense, epilogue);
  for (size_t m = 0; m < test.M; ++m) {
    for (size_t n = 0; n < test.N; ++n) {
      const size_t i = m * test.N + n;
      ASSERT_NEAR(found[i], wanted[i], test.Tolerance(m, n))
          << "M " << test.M << ", N " << test.N << ", K " << test.K
          << ", epilogue " << static_cast<int>(epilogue) << ", row " << m
          << ", column " << n;
    }
  }
}

TEST_P(DenseTest, GemmEqualsScalar) {
  for (const size_t M : kAwkward) {
    for (const size_t N : kAwkward) {
      const size_t K = kAwkward[(M + 2 * N) % std::size(kAwkward)];
      const GemmCase test{{M, N, K}};
      for (const Epilogue epilogue : kEpilogues) {
        ExpectEqualProducts(dense(), scalar(), test, epilogue);
      }
    }
  }
  ExpectEqualProducts(dense(), scalar(), GemmCase{{11, 96, 1536}},
                      Epilogue::kBias);
}

TEST_P(DenseTest, GemmMayWriteOverItsResidual) {
  const GemmCase test{{17, 40, 33}};
  const Guarded<float> packed(dense().packed_size(test.N, test.K));
  dense().pack(test.weight.data(), test.N, test.K, packed.get());
  std::vector<float> y = test.residual;
  dense().gemm(test.x.data(), packed.get(), test.bias.data(), y.data(), test.M,
               test.N, test.K, Epilogue::kBiasResidual, y.data(), test.N);
  EXPECT_EQ(y, test.Run(dense(), Epilogue::kBiasResidual));
}

TEST_P(DenseTest, GemmRowsAreInvariant) {
  const GemmCase all{{64, 70, 129}};
  for (const Epilogue epilogue : kEpilogues) {
    const std::vector<float> wanted = all.Run(dense(), epilogue);
    for (size_t M = 1; M <= 64; ++M) {
      GemmCase some = all;
      some.Shorten(M);
      const std::vector<float> found = some.Run(dense(), epilogue);
      ASSERT_EQ(std::memcmp(found.data(), wanted.data(),
                            found.size() * sizeof(float)),
                0)
          << M << " rows";
    }
  }
}

TEST_P(DenseTest, GemmMayBeComputedColumnByColumn) {
  const GemmCase test{{13, 70, 33}};
  const size_t columns = dense().panel_columns;
  const size_t stride = test.N + 5;
  const Guarded<float> packed(dense().packed_size(test.N, test.K));
  dense().pack(test.weight.data(), test.N, test.K, packed.get());
  for (const Epilogue epilogue : kEpilogues) {
    // Padded rows: what is beside the outputs stays as it is.
    std::vector<float> y(test.M * stride, 99.0f);
    for (size_t m = 0; m < test.M; ++m) {
      std::copy_n(test.residual.data() + m * test.N, test.N,
                  y.data() + m * stride);
    }
    for (size_t begin = 0; begin < test.N; begin += columns) {
      const size_t end = std::min(test.N, begin + columns);
      dense().gemm(test.x.data(), packed.get() + begin * test.K,
                   test.bias.data() + begin, y.data() + begin, test.M,
                   end - begin, test.K, epilogue, y.data() + begin, stride);
    }
    const std::vector<float> wanted = test.Run(dense(), epilogue);
    for (size_t m = 0; m < test.M; ++m) {
      for (size_t n = 0; n < stride; ++n) {
        ASSERT_EQ(y[m * stride + n],
                  n < test.N ? wanted[m * test.N + n] : 99.0f)
            << "row " << m << ", column " << n;
      }
    }
  }
}

TEST_P(DenseTest, GeluIsWithinAMillionth) {
  const std::vector<float> x = GeluInputs();
  const size_t N = x.size();
  const Guarded<float> packed(dense().packed_size(N, 1));
  dense().pack(std::vector<float>(N).data(), N, 1, packed.get());
  const float zero = 0;
  std::vector<float> y(N);
  dense().gemm(&zero, packed.get(), x.data(), nullptr, 1, N, 1,
               Epilogue::kBiasGelu, y.data(), N);
  // fp32 rounds a result of up to 12 by half of 2^-20, 4.8e-7.
  ExpectGelu(x, y, 1e-6);
}

TEST_P(DenseTest, LayerNormEqualsScalar) {
  constexpr size_t M = 3;
  for (const size_t D : kAwkward) {
    const auto x = RandomFloats(M * D, 5);
    const auto weight = RandomFloats(D, 6);
    const auto bias = RandomFloats(D, 7);
    // The epsilon keeps D = 1, whose variance is 0, well conditioned.
    constexpr float kEpsilon = 1e-3f;
    std::vector<float> wanted(M * D);
    scalar().layer_norm(x.data(), weight.data(), bias.data(), M, D, kEpsilon,
                        wanted.data());
    const Guarded rows(x);  // in place
    dense().layer_norm(rows.get(), Guarded(weight).get(), Guarded(bias).get(),
                       M, D, kEpsilon, rows.get());
    const auto found = rows.ToVector(M * D);
    for (size_t i = 0; i < M * D; ++i) {
      // The mean's error of D eps is divided by a deviation of at least
      // sqrt(1e-3); inputs and weights are below 5.
      const float tolerance = static_cast<float>(D + 8) * kSingleEpsilon * 400;
      ASSERT_NEAR(found[i], wanted[i], tolerance) << "D " << D << ", " << i;
    }
  }
}

// Whichever way: to the same rows as layer_norm and the same codes as a pass
// over them.
TEST_P(DenseTest, LayerNormWithCodesEqualsTwoPasses) {
  constexpr float kEpsilon = 1e-3f;
  const Int8Kernels& int8 = GetParam()->int8;
  const Int8Row narrow = Int8RowOf(-0.5f, 0.75f);
  for (const size_t D : kAwkward) {
    for (const size_t M : {1, 3, 4, 9}) {
      auto x = RandomFloats(M * D, 5);
      std::fill_n(x.data(), D, 2.0f);                    // no deviation
      if (M > 3) std::fill_n(x.data() + 2 * D, D, NAN);  // no numbers
      const auto weight = RandomFloats(D, 6);
      const auto bias = RandomFloats(D, 7);
      const size_t stride = Int8Stride(D);
      for (const Int8Row* fixed :
           {static_cast<const Int8Row*>(nullptr), &narrow}) {
        std::vector<float> wanted(M * D);
        dense().layer_norm(x.data(), weight.data(), bias.data(), M, D, kEpsilon,
                           wanted.data());
        const Guarded<uint8_t> wanted_codes(M * stride);
        std::vector<Int8Row> wanted_rows(M);
        if (fixed == nullptr) {
          int8.quantise(wanted.data(), M, D, wanted_codes.get(),
                        wanted_rows.data());
        } else {
          int8.quantise_with(*fixed, wanted.data(), M, D, wanted_codes.get(),
                             wanted_rows.data());
        }
        const Guarded rows(x);  // in place
        const Guarded<uint8_t> codes(M * stride);
        const Guarded<Int8Row> code_rows(M);
        dense().layer_norm_codes(
            rows.get(), Guarded(weight).get(), Guarded(bias).get(), M, D,
            kEpsilon, rows.get(), fixed, codes.get(), code_rows.get());
        SCOPED_TRACE(
            fmt::format("M {}, D {}, fixed {}", M, D, fixed != nullptr));
        EXPECT_TRUE(SameBits(rows.ToVector(M * D), wanted));
        EXPECT_TRUE(SameBits(codes.ToVector(M * stride),
                             wanted_codes.ToVector(M * stride)));
        EXPECT_TRUE(SameBits(code_rows.ToVector(M), wanted_rows));
      }
    }
  }
}

std::vector<float> Attend(const DenseKernels& dense,
                          const std::vector<float>& qkv, size_t T, size_t H,
                          size_t D) {
  const Guarded<float> scratch(dense.attention_scratch(T, H, D));
  const Guarded<float> out(T * D);
  dense.attention(Guarded(qkv).get(), T, H, D, 0, H, scratch.get(), out.get());
  return out.ToVector(T * D);
}

TEST_P(DenseTest, AttentionEqualsScalar) {
  for (const size_t T : kAwkward) {
    for (const size_t head_width : {1, 8, 12, 32, 64}) {
      const size_t H = 3;
      const size_t D = H * head_width;
      const auto qkv = RandomFloats(T * 3 * D, T);
      const auto wanted = Attend(scalar(), qkv, T, H, D);
      const auto found = Attend(dense(), qkv, T, H, D);
      for (size_t i = 0; i < T * D; ++i) {
        // Scores below 40 carry an error of head_width eps each, which the
        // exponential passes on; the values are below 5.
        ASSERT_NEAR(
            found[i], wanted[i],
            static_cast<float>(head_width + T + 8) * kSingleEpsilon * 40)
            << "T " << T << ", head width " << head_width << ", " << i;
      }
    }
  }
}

TEST_P(DenseTest, AttentionMayBeComputedHeadByHead) {
  constexpr size_t T = 19, H = 5, D = H * 12;
  const auto qkv = RandomFloats(T * 3 * D, 11);
  const auto wanted = Attend(dense(), qkv, T, H, D);
  const Guarded<float> scratch(dense().attention_scratch(T, H, D));
  std::vector<float> out(T * D, 99.0f);
  for (const auto& [begin, end] :
       {std::pair<size_t, size_t>{3, 5}, {0, 1}, {1, 3}}) {
    dense().attention(qkv.data(), T, H, D, begin, end, scratch.get(),
                      out.data());
    for (size_t head = 0; begin == 3 && head < 3; ++head) {
      EXPECT_EQ(out[head * 12], 99.0f) << "of another head";
    }
  }
  EXPECT_EQ(out, wanted);
}

TEST_P(DenseTest, AttentionSurvivesExtremeScores) {
  constexpr size_t T = 18;
  constexpr size_t D = 8;
  std::vector<float> qkv(T * 3 * D, 0.0f);
  for (size_t t = 0; t < T; ++t) {
    qkv[t * 3 * D] = 1000;                              // query
    qkv[t * 3 * D + D] = t == 17 ? 1000.0f : -1000.0f;  // key
    qkv[t * 3 * D + 2 * D] = static_cast<float>(t);     // value
  }
  const auto out = Attend(dense(), qkv, T, 1, D);
  for (size_t t = 0; t < T; ++t) EXPECT_EQ(out[t * D], 17) << t;
}

// One query to N of the rows that lie at `places`, keys and values side by
// side.
struct RowCase {
  size_t N, H, D;
  std::vector<float> query, pairs;  // [D], [rows, 2 * D]
  std::vector<uint32_t> places;     // [N]

  RowCase(size_t keys, size_t heads, size_t width)
      : N(keys),
        H(heads),
        D(width),
        query(RandomFloats(D, 1)),
        pairs(RandomFloats((2 * N + 1) * 2 * D, 2)) {
    for (size_t n = 0; n < N; ++n) {  // backwards, with gaps
      places.push_back(static_cast<uint32_t>(2 * (N - n)));
    }
  }
  std::vector<float> Run(const DenseKernels& dense, bool gather = true) const {
    const Guarded<float> scratch(dense.attend_row_scratch(N));
    const Guarded<float> out(D);
    const Guarded rows(pairs);
    dense.attend_row(Guarded(query).get(), rows.get(), rows.get() + D, 2 * D,
                     gather ? places.data() : nullptr, N, H, D, scratch.get(),
                     out.get());
    return out.ToVector(D);
  }
};

TEST_P(DenseTest, AttendRowEqualsScalar) {
  constexpr size_t kHeads[] = {1, 3, 8, 17};  // 17 are more than lanes
  size_t turn = 0;
  for (const size_t N : kAwkward) {
    for (const size_t head_width : {1, 8, 12, 32, 64}) {
      const size_t H = kHeads[turn++ % std::size(kHeads)];
      const RowCase test(N, H, H * head_width);
      for (const bool gather : {true, false}) {
        const auto wanted = test.Run(scalar(), gather);
        const auto found = test.Run(dense(), gather);
        for (size_t i = 0; i < test.D; ++i) {
          ASSERT_NEAR(
              found[i], wanted[i],
              static_cast<float>(head_width + N + 8) * kSingleEpsilon * 40)
              << "N " << N << ", " << H << " heads, width " << head_width
              << ", " << i;
        }
      }
    }
  }
}

void ExpectEqualSummaries(const DenseKernels& dense, const DenseKernels& scalar,
                          const std::vector<float>& row) {
  const RowSummary wanted = scalar.summarise(row.data(), row.size());
  const RowSummary found = dense.summarise(Guarded(row).get(), row.size());
  for (size_t i = 0; i < RowSummary::kCount; ++i) {
    EXPECT_EQ(found.greatest[i], wanted.greatest[i]) << row.size() << ", " << i;
    EXPECT_EQ(found.index[i], wanted.index[i]) << row.size() << ", " << i;
  }
  // A lane adds at most 128 powers, then at most 50 sums, then there are 8
  // lanes: 186 roundings; a power's own error is small beside.
  EXPECT_NEAR(found.sum, wanted.sum, 200 * kSingleEpsilon * wanted.sum)
      << row.size();
}

TEST_P(DenseTest, SummariseEqualsScalar) {
  std::vector<size_t> sizes(std::begin(kAwkward), std::end(kAwkward));
  sizes.push_back(8192);
  sizes.push_back(50'265);
  for (const size_t N : sizes) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
      std::vector<float> row = RandomFloats(N, seed);
      for (float& value : row) value *= static_cast<float>(1 + seed);
      ExpectEqualSummaries(dense(), scalar(), row);
      for (float& value : row) value = std::round(value);  // many are equal
      ExpectEqualSummaries(dense(), scalar(), row);
      if (N > 1) row[N / 2] = -HUGE_VALF;  // banned
      ExpectEqualSummaries(dense(), scalar(), row);
    }
    std::vector<float> row(N, -HUGE_VALF);
    row[N - 1] = 3;
    ExpectEqualSummaries(dense(), scalar(), row);
    row.assign(N, 7.0f);
    ExpectEqualSummaries(dense(), scalar(), row);
  }
}

TEST_P(DenseTest, SummariseDoesNotCareWhereTheRowLies) {
  constexpr size_t N = 1'001;
  const std::vector<float> row = RandomFloats(N, 3);
  const RowSummary wanted = dense().summarise(row.data(), N);
  for (size_t offset = 1; offset < 16; ++offset) {
    std::vector<float> moved(offset, 99.0f);
    moved.insert(moved.end(), row.begin(), row.end());
    const RowSummary found = dense().summarise(moved.data() + offset, N);
    EXPECT_EQ(found.sum, wanted.sum) << offset;
    EXPECT_EQ(found.index[2], wanted.index[2]) << offset;
  }
}

TEST_P(DenseTest, AttendRowDoesNotCareWhereRowsLie) {
  const RowCase spread(33, 2, 48);
  RowCase dense_case = spread;
  for (size_t n = 0; n < spread.N; ++n) {
    std::copy_n(
        spread.pairs.begin() +
            static_cast<std::ptrdiff_t>(spread.places[n] * 2 * 48),
        2 * 48,
        dense_case.pairs.begin() + static_cast<std::ptrdiff_t>(n * 2 * 48));
  }
  EXPECT_EQ(dense_case.Run(dense(), /*gather=*/false), spread.Run(dense()));
}

}  // namespace
}  // namespace quaver
