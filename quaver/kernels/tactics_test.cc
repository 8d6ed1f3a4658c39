// Every way that a table knows to compute a product gives the same bits.
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/kernels/guarded.h"
#include "quaver/kernels/kernels.h"

namespace quaver {
namespace {

std::vector<float> RandomFloats(size_t count, uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.Normal());
  return values;
}

struct Case {
  size_t M, N, K;
  Epilogue epilogue;
  std::vector<float> x = RandomFloats(M * K, 1),
                     weight = RandomFloats(N * K, 2), bias = RandomFloats(N, 3),
                     residual = RandomFloats(M * N, 4);
};

// Rows about the blocks of tiles and registers, outputs and inputs about
// panels, and more rows than a sweep of tiles.
std::vector<Case> Cases() {
  constexpr size_t kRows[] = {1, 2, 7, 8, 13, 14, 15, 16, 17, 31, 33, 64, 65};
  constexpr size_t kSizes[] = {1, 31, 32, 33, 64, 130};
  std::vector<Case> cases;
  for (const size_t M : kRows) {
    for (const size_t N : kSizes) {
      cases.push_back({M, N, kSizes[(M + N) % std::size(kSizes)],
                       static_cast<Epilogue>((M + N) % 3)});
    }
  }
  cases.push_back({513, 40, 70, Epilogue::kBiasGelu});
  return cases;
}

using Bits = std::vector<uint32_t>;

Bits BitsOf(const Guarded<float>& y, size_t count) {
  Bits bits(count);
  std::memcpy(bits.data(), y.get(), count * sizeof(float));
  return bits;
}

Bits RunInt8(const Int8Kernels& int8, Int8Gemm gemm, const Case& one) {
  const auto& [M, N, K, epilogue, x, weight, bias, residual] = one;
  const Int8Pack pack = PackInt8(weight.data(), bias.data(), N, K);
  const Guarded<uint8_t> codes((M + kInt8SpareRows) * Int8Stride(K));
  const Guarded<Int8Row> rows(M);
  int8.quantise(x.data(), M, K, codes.get(), rows.get());
  const Guarded packed(pack.codes);
  const Guarded scales(pack.scales), sums(pack.sums), biases(pack.bias);
  const Int8Weight view{
      packed.get(), scales.get(), sums.get(), biases.get(), N, K};
  const Guarded<float> y(M * N);
  gemm(codes.get(), rows.get(), view, residual.data(), M, epilogue, y.get(), N);
  return BitsOf(y, M * N);
}

Bits RunDense(const DenseKernels& dense, DenseGemm gemm, const Case& one) {
  const auto& [M, N, K, epilogue, x, weight, bias, residual] = one;
  const Guarded<float> packed(dense.packed_size(N, K));
  dense.pack(weight.data(), N, K, packed.get());
  const Guarded<float> y(M * N);
  gemm(x.data(), packed.get(), bias.data(), residual.data(), M, N, K, epilogue,
       y.get(), N);
  return BitsOf(y, M * N);
}

class TacticsTest : public testing::TestWithParam<const Kernels*> {};

INSTANTIATE_TEST_SUITE_P(Isa, TacticsTest,
                         testing::ValuesIn(AvailableKernels().begin(),
                                           AvailableKernels().end()),
                         [](const auto& info) {
                           return std::string(info.param->name);
                         });

TEST_P(TacticsTest, TheStandardIsFirst) {
  EXPECT_EQ(GetParam()->int8.tactics[0].gemm, GetParam()->int8.gemm);
  EXPECT_EQ(GetParam()->dense.tactics[0].gemm, GetParam()->dense.gemm);
}

TEST_P(TacticsTest, ProductsOfBytesAreEqual) {
  const Int8Kernels& int8 = GetParam()->int8;
  for (const Case& one : Cases()) {
    const Bits wanted = RunInt8(int8, int8.gemm, one);
    for (const Int8Tactic& tactic : int8.tactics) {
      if (tactic.name == nullptr) break;
      EXPECT_EQ(RunInt8(int8, tactic.gemm, one), wanted) << fmt::format(
          "{}: M {}, N {}, K {}", tactic.name, one.M, one.N, one.K);
    }
  }
}

TEST_P(TacticsTest, ProductsOfFloatsAreEqual) {
  const DenseKernels& dense = GetParam()->dense;
  for (const Case& one : Cases()) {
    const Bits wanted = RunDense(dense, dense.gemm, one);
    for (const DenseTactic& tactic : dense.tactics) {
      if (tactic.name == nullptr) break;
      EXPECT_EQ(RunDense(dense, tactic.gemm, one), wanted) << fmt::format(
          "{}: M {}, N {}, K {}", tactic.name, one.M, one.N, one.K);
    }
  }
}

}  // namespace
}  // namespace quaver
