// Every way that a table knows to compute a product gives the same bits.
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "quaver/kernels/guarded.h"
#include "quaver/kernels/kernels.h"
#include "quaver/kernels/product_case.h"

namespace quaver {
namespace {

struct Case : ProductCase {
  Epilogue epilogue;
};

// Rows about the blocks of tiles and registers, outputs and inputs about
// panels; more rows than a sweep of tiles, and more inputs than a part.
std::vector<Case> Cases() {
  constexpr size_t kRows[] = {1, 2, 7, 8, 13, 14, 15, 16, 17, 31, 33, 64, 65};
  constexpr size_t kSizes[] = {1, 31, 32, 33, 64, 130};
  std::vector<Case> cases;
  for (const size_t M : kRows) {
    for (const size_t N : kSizes) {
      cases.push_back({{M, N, kSizes[(M + N) % std::size(kSizes)]},
                       kEpilogues[(M + N) % std::size(kEpilogues)]});
    }
    cases.push_back({{M, 70, 600}, Epilogue::kBiasResidual});
  }
  cases.push_back({{513, 40, 70}, Epilogue::kBiasGelu});
  cases.push_back({{300, 97, 450}, Epilogue::kBias});
  return cases;
}

std::vector<float> RunBf16(const Bf16Kernels& bf16, Bf16Gemm gemm,
                           const Case& one) {
  const auto& [M, N, K, x, weight, bias, residual] =
      static_cast<const ProductCase&>(one);
  const Bf16Pack pack = PackBf16(weight.data(), bias.data(), N, K);
  const Guarded<uint16_t> rows((M + kBf16SpareRows) * Bf16Stride(K));
  bf16.round(x.data(), M, K, rows.get());
  const Guarded halves(pack.halves);
  const Guarded biases(pack.bias);
  const Guarded<float> y(M * N);
  gemm(rows.get(), {halves.get(), biases.get(), N, K}, residual.data(), M,
       one.epilogue, y.get(), N);
  return y.ToVector(M * N);
}

std::vector<float> RunInt8(const Int8Kernels& int8, Int8Gemm gemm,
                           const Case& one) {
  const auto& [M, N, K, x, weight, bias, residual] =
      static_cast<const ProductCase&>(one);
  const Int8Pack pack = PackInt8(weight.data(), bias.data(), N, K);
  const Guarded<uint8_t> codes((M + kInt8SpareRows) * Int8Stride(K));
  const Guarded<Int8Row> rows(M);
  int8.quantise(x.data(), M, K, codes.get(), rows.get());
  const Guarded packed(pack.codes);
  const Guarded scales(pack.scales), sums(pack.sums), biases(pack.bias);
  const Int8Weight view{
      packed.get(), scales.get(), sums.get(), biases.get(), N, K};
  const Guarded<float> y(M * N);
  gemm(codes.get(), rows.get(), view, residual.data(), M, one.epilogue, y.get(),
       N);
  return y.ToVector(M * N);
}

std::vector<float> RunDense(const DenseKernels& dense, DenseGemm gemm,
                            const Case& one) {
  const auto& [M, N, K, x, weight, bias, residual] =
      static_cast<const ProductCase&>(one);
  const Guarded<float> packed(dense.packed_size(N, K));
  dense.pack(weight.data(), N, K, packed.get());
  const Guarded<float> y(M * N);
  gemm(x.data(), packed.get(), bias.data(), residual.data(), M, N, K,
       one.epilogue, y.get(), N);
  return y.ToVector(M * N);
}

class TacticsTest : public testing::TestWithParam<const Kernels*> {};

INSTANTIATE_TEST_SUITE_P(Isa, TacticsTest, EveryTable(), TableName);

TEST_P(TacticsTest, TheStandardIsFirst) {
  EXPECT_EQ(GetParam()->int8.tactics[0].gemm, GetParam()->int8.gemm);
  EXPECT_EQ(GetParam()->bf16.tactics[0].gemm, GetParam()->bf16.gemm);
  EXPECT_EQ(GetParam()->dense.tactics[0].gemm, GetParam()->dense.gemm);
}

// Each way of `tactics` by `run(gemm, one)`.
template <typename Tactic, typename Run>
void ExpectEqual(const Tactic (&tactics)[kMaxTactics], const Run& run) {
  for (const Case& one : Cases()) {
    const std::vector<float> wanted = run(tactics[0].gemm, one);
    for (const Tactic& tactic : tactics) {
      if (tactic.name == nullptr) break;
      EXPECT_TRUE(SameBits(run(tactic.gemm, one), wanted)) << fmt::format(
          "{}: M {}, N {}, K {}", tactic.name, one.M, one.N, one.K);
    }
  }
}

TEST_P(TacticsTest, ProductsOfBytesAreEqual) {
  const Int8Kernels& int8 = GetParam()->int8;
  ExpectEqual(int8.tactics, [&](Int8Gemm gemm, const Case& one) {
    return RunInt8(int8, gemm, one);
  });
}

TEST_P(TacticsTest, ProductsOfHalvesAreEqual) {
  const Bf16Kernels& bf16 = GetParam()->bf16;
  ExpectEqual(bf16.tactics, [&](Bf16Gemm gemm, const Case& one) {
    return RunBf16(bf16, gemm, one);
  });
}

TEST_P(TacticsTest, ProductsOfFloatsAreEqual) {
  const DenseKernels& dense = GetParam()->dense;
  ExpectEqual(dense.tactics, [&](DenseGemm gemm, const Case& one) {
    return RunDense(dense, gemm, one);
  });
}

}  // namespace
}  // namespace quaver
