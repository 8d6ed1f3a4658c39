// Tests of the least time that a machine allows.
#include "quaver/compile/roofline.h"

#include <utility>

#include <gtest/gtest.h>

#include "quaver/engine/tactics.h"

namespace quaver {
namespace {

Product Int8Product(size_t N, size_t K) {
  Product product;
  product.N = N;
  product.K = K;
  product.precision = Precision::kInt8;
  product.bytes = N * K;
  return product;
}

TEST(RooflineTest, TheLongerOfOperationsAndBytesCounts) {
  GemmLimits limits;
  limits.gops[static_cast<size_t>(Precision::kInt8)] = 1000;
  limits.gbytes = 50;
  CallStep product;
  product.precision = Precision::kInt8;
  product.bytes = 1000000;  // at 50 a nanosecond
  for (const auto& [operations, us] :
       {std::pair<double, double>{2e6, 20}, {2e7, 20}, {2e8, 200}}) {
    product.operations = operations;
    EXPECT_DOUBLE_EQ(PredictedUs(product, limits).value(), us);
  }
}

TEST(RooflineTest, AStepNeedsOperationsOrBytes) {
  GemmLimits limits;
  limits.gops[static_cast<size_t>(Precision::kFp32)] = 100;
  limits.gbytes = 50;
  CallStep step;
  step.kind = CallStep::Kind::kAttention;
  EXPECT_EQ(PredictedUs(step, limits), std::nullopt);
  step.operations = 1e6;
  EXPECT_DOUBLE_EQ(PredictedUs(step, limits).value(), 10);
  step.bytes = 1000000;
  EXPECT_DOUBLE_EQ(PredictedUs(step, limits).value(), 20);
  limits = {};
  limits.gbytes = 50;  // what operations take is not known
  step.bytes = 0;
  EXPECT_EQ(PredictedUs(step, limits), std::nullopt);
}

TEST(RooflineTest, LimitsAreTheBestOfTheCache) {
  TimingCache cache;
  cache.Add({"cpu", "int8", 100, 100, 1, "x"}, 500);     // 20 bytes a ns
  cache.Add({"cpu", "int8", 100, 100, 256, "x"}, 5120);  // 1000 operations
  cache.Add({"cpu", "int8", 100, 100, 256, "y"}, 10240);
  cache.Add({"cpu", "fp32", 100, 100, 1, "x"}, 1000);  // 40 bytes a ns
  cache.Add({"other", "int8", 100, 100, 256, "x"}, 1);
  const auto limits = LimitsOf(cache, "cpu", {Int8Product(3, 4)});
  ASSERT_TRUE(limits.has_value());
  EXPECT_DOUBLE_EQ(limits->gops[static_cast<size_t>(Precision::kInt8)], 1000);
  EXPECT_DOUBLE_EQ(limits->gbytes, 40);
  Product bf16 = Int8Product(3, 4);
  bf16.precision = Precision::kBf16;
  EXPECT_FALSE(LimitsOf(cache, "cpu", {bf16}).has_value());
  EXPECT_FALSE(LimitsOf(cache, "none", {Int8Product(3, 4)}).has_value());
}

TEST(RooflineTest, LimitsAreMeasuredForThePrecisionsThere) {
  const GemmLimits limits = MeasureLimits(BestKernels(), {Int8Product(3, 4)});
  EXPECT_GT(limits.gops[static_cast<size_t>(Precision::kInt8)], 0);
  EXPECT_EQ(limits.gops[static_cast<size_t>(Precision::kFp32)], 0);
  EXPECT_GT(limits.gbytes, 0);
}

}  // namespace
}  // namespace quaver
