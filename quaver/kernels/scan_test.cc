// The scan kernels of every instruction set against their definition.
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/kernels/kernels.h"

namespace quaver {
namespace {

class ScanTest : public testing::TestWithParam<const Kernels*> {
 protected:
  const ScanKernels& scan() const { return GetParam()->scan; }
};

std::vector<size_t> AwkwardSizes() {
  std::vector<size_t> sizes = {1, 3, 7, 8, 9};
  for (size_t size = 15; size <= 65; ++size) sizes.push_back(size);
  sizes.insert(sizes.end(), {127, 128, 129, 383, 384, 385});
  return sizes;
}

std::vector<uint8_t> RandomBytes(Random& random, size_t count, int bound) {
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Below(bound));
  return bytes;
}

std::vector<float> RandomFloats(Random& random, size_t count) {
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.Normal());
  return values;
}

// By item, as the contract says it, from codes that are not interleaved.
uint16_t SumOfItem(const std::vector<uint8_t>& tables, const uint8_t* code,
                   size_t num_bytes) {
  int sum = 0;
  for (size_t b = 0; b < num_bytes; ++b) {
    sum += tables[2 * b * 16 + (code[b] & 15)];
    sum += tables[(2 * b + 1) * 16 + (code[b] >> 4)];
  }
  return static_cast<uint16_t>(sum);
}

TEST_P(ScanTest, ScanCodesIsExact) {
  Random random(1);
  for (const size_t num_bytes : AwkwardSizes()) {
    if (num_bytes > kMaxCodeBytes) continue;
    for (const size_t num_blocks : {1, 2, 3, 8}) {
      const auto tables =
          RandomBytes(random, 2 * num_bytes * 16, kMaxTableEntry + 1);
      const size_t num_items = num_blocks * kScanBlock;
      const auto plain = RandomBytes(random, num_items * num_bytes, 256);
      std::vector<uint8_t> codes(plain.size());
      for (size_t i = 0; i < num_items; ++i) {
        for (size_t b = 0; b < num_bytes; ++b) {
          codes[(i / kScanBlock * num_bytes + b) * kScanBlock +
                i % kScanBlock] = plain[i * num_bytes + b];
        }
      }
      std::vector<uint16_t> sums(num_items, 0xABCD);
      scan().scan_codes(tables.data(), codes.data(), num_bytes, num_blocks,
                        sums.data());
      for (size_t i = 0; i < num_items; ++i) {
        ASSERT_EQ(sums[i], SumOfItem(tables, &plain[i * num_bytes], num_bytes))
            << num_bytes << " bytes, " << num_blocks << " blocks, item " << i;
      }
    }
  }
}

TEST_P(ScanTest, ScanCodesHoldsTheLargestSum) {
  const std::vector<uint8_t> tables(2 * kMaxCodeBytes * 16, kMaxTableEntry);
  const std::vector<uint8_t> codes(kMaxCodeBytes * kScanBlock, 0xF0);
  std::vector<uint16_t> sums(kScanBlock);
  scan().scan_codes(tables.data(), codes.data(), kMaxCodeBytes, 1, sums.data());
  for (const uint16_t sum : sums) {
    EXPECT_EQ(sum, 2 * kMaxTableEntry * kMaxCodeBytes);
  }
}

TEST_P(ScanTest, EstimatesAreRoundedAlike) {
  Random random(4);
  const EstimateLine line = {
      .step = 0.37f, .offset = -11.3f, .base = 0.21f, .threshold = 0.5f};
  for (const size_t num_blocks : {1, 2, 3, 8}) {
    const size_t N = num_blocks * kScanBlock;
    std::vector<uint16_t> sums(N);
    for (uint16_t& sum : sums) sum = static_cast<uint16_t>(random.Next());
    sums[0] = 0xFFFF;
    const auto factors = RandomFloats(random, N);
    std::vector<float> estimates(N);
    std::vector<uint32_t> above(num_blocks, 0xABCD);
    scan().estimate(sums.data(), factors.data(), num_blocks, line,
                    estimates.data(), above.data());
    for (size_t i = 0; i < N; ++i) {
      const float scaled = line.step * static_cast<float>(sums[i]);
      const float product = scaled + line.offset;
      const float weighed = factors[i] * product;
      ASSERT_EQ(estimates[i], line.base + weighed);
      ASSERT_EQ(((above[i / kScanBlock] >> (i % kScanBlock)) & 1) != 0,
                estimates[i] > line.threshold);
    }
  }
}

TEST_P(ScanTest, IntegerDotIsExact) {
  Random random(2);
  for (const size_t D : AwkwardSizes()) {
    std::vector<int16_t> a(D);
    std::vector<int8_t> b(D);
    int64_t expected = 0;
    for (size_t i = 0; i < D; ++i) {
      a[i] = static_cast<int16_t>(static_cast<int>(random.Below(4095)) - 2047);
      b[i] = static_cast<int8_t>(static_cast<int>(random.Below(256)) - 128);
      expected += int64_t{a[i]} * b[i];
    }
    EXPECT_EQ(scan().dot_i16_i8(a.data(), b.data(), D), expected) << D;
  }
}

TEST_P(ScanTest, IntegerDotHoldsTheLargestSum) {
  const size_t D = 8192;
  const std::vector<int16_t> a(D, -2047);
  const std::vector<int8_t> b(D, -128);
  EXPECT_EQ(scan().dot_i16_i8(a.data(), b.data(), D), 2047 * 128 * 8192);
}

// Any order of D additions and products errs by at most D * 2^-24 of the sum
// of the products' magnitudes, to first order (Higham, "Accuracy and Stability
// of Numerical Algorithms", section 3.1).
TEST_P(ScanTest, FloatDotIsWithinItsBound) {
  Random random(3);
  for (const size_t D : AwkwardSizes()) {
    const auto a = RandomFloats(random, D), b = RandomFloats(random, D);
    double expected = 0, magnitude = 0;
    for (size_t i = 0; i < D; ++i) {
      expected += static_cast<double>(a[i]) * b[i];
      magnitude += std::fabs(static_cast<double>(a[i]) * b[i]);
    }
    const double bound =
        static_cast<double>(D) * std::ldexp(1.0, -24) * magnitude;
    EXPECT_NEAR(scan().dot_f32(a.data(), b.data(), D), expected, bound) << D;
  }
}

// A masked load must not touch what lies behind the vectors.
TEST_P(ScanTest, NothingBehindTheVectorsCounts) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const size_t D : AwkwardSizes()) {
    std::vector<float> a(D + 64, nan);
    for (size_t i = 0; i < D; ++i) a[i] = 1;
    EXPECT_EQ(scan().dot_f32(a.data(), a.data(), D), static_cast<float>(D));
  }
}

INSTANTIATE_TEST_SUITE_P(AllTables, ScanTest,
                         testing::ValuesIn(AvailableKernels().begin(),
                                           AvailableKernels().end()),
                         [](const auto& info) {
                           return std::string(info.param->name);
                         });

}  // namespace
}  // namespace quaver
