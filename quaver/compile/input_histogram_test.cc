// Tests of the three methods on distributions whose ranges are known.
#include "quaver/compile/input_histogram.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/base/hash.h"

namespace quaver {
namespace {

constexpr double kBins = InputHistogram::kBins;

std::vector<float> Uniform(size_t count, float low, float high) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = low + (high - low) * static_cast<float>(i) /
                          static_cast<float>(count - 1);
  }
  return values;
}

std::vector<float> Normal(size_t count) {
  Random random(7);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.Normal());
  return values;
}

TEST(InputHistogramTest, CountsBetweenItsEnds) {
  InputHistogram histogram(-1, 3);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  histogram.Add(std::vector<float>{-1, -0.9995f, 0, 2.999f, 3, 4, -9, nan});
  EXPECT_EQ(histogram.total(), 7u);
  EXPECT_EQ(histogram.counts().front(), 3u);
  EXPECT_EQ(histogram.counts()[InputHistogram::kBins / 4], 1u);
  EXPECT_EQ(histogram.counts().back(), 3u);
  EXPECT_EQ(histogram.Edge(0), -1);
  EXPECT_EQ(histogram.Edge(InputHistogram::kBins / 4), 0);
  EXPECT_EQ(histogram.Edge(InputHistogram::kBins), 3);
}

TEST(InputHistogramTest, ZeroIsAlwaysWithin) {
  EXPECT_EQ(InputHistogram(2, 5).low(), 0);
  EXPECT_EQ(InputHistogram(-5, -2).high(), 0);
  InputHistogram nothing(0, 0);
  nothing.Add(std::vector<float>(10, 0.0f));
  for (const InputRange& range :
       {MinMaxRange(nothing), PercentileRange(nothing, 99),
        EntropyRange(nothing)}) {
    EXPECT_TRUE(range.dynamic());
  }
}

TEST(InputHistogramTest, MinMaxIsAllThatWasSeen) {
  InputHistogram histogram(-2, 7);
  histogram.Add(Uniform(100, -2, 7));
  const InputRange range = MinMaxRange(histogram);
  EXPECT_EQ(range.low, -2);
  EXPECT_EQ(range.high, 7);
}

TEST(InputHistogramTest, PercentilesCutBothTails) {
  InputHistogram histogram(-1, 3);
  histogram.Add(Uniform(100'000, -1, 3));
  constexpr double kBin = 4 / kBins;
  InputRange range = PercentileRange(histogram, 90);
  EXPECT_NEAR(range.low, -0.6, kBin);
  EXPECT_NEAR(range.high, 2.6, kBin);
  range = PercentileRange(histogram, 99);
  EXPECT_NEAR(range.low, -0.96, kBin);
  EXPECT_NEAR(range.high, 2.96, kBin);
  range = PercentileRange(histogram, 100);
  EXPECT_EQ(range.low, -1);
  EXPECT_EQ(range.high, 3);
  range = PercentileRange(histogram, 60);  // 0 stays within
  EXPECT_EQ(range.low, 0);
}

TEST(InputHistogramTest, PercentilesLeaveOutliers) {
  std::vector<float> values = Normal(100'000);
  values[5] = 1'000;
  InputHistogram histogram(-5, 1'000);
  histogram.Add(values);
  const InputRange range = PercentileRange(histogram, 99.99);
  EXPECT_GT(range.high, 2);
  EXPECT_LT(range.high, 6);
  EXPECT_EQ(PercentileRange(histogram, 100).high, 1'000);
}

TEST(InputHistogramTest, EntropyKeepsWhatIsEvenlySpread) {
  InputHistogram histogram(-1, 1);
  histogram.Add(Uniform(409'600, -1, 1));
  const InputRange range = EntropyRange(histogram);
  EXPECT_NEAR(range.low, -1, 0.02);
  EXPECT_NEAR(range.high, 1, 0.02);
}

TEST(InputHistogramTest, EntropyHoldsRareOutliers) {
  std::vector<float> values = Normal(200'000);
  values[0] = 40;
  values[1] = -40;
  InputHistogram histogram(-40, 40);
  histogram.Add(values);
  const InputRange range = EntropyRange(histogram);
  EXPECT_GE(range.high, 4);  // 256 of 2,048 bins are the least: 5
  EXPECT_LE(range.high, 8);
  EXPECT_NEAR(range.low, -range.high, 80 / kBins);
}

// As GELU leaves them: little below 0, all above.
TEST(InputHistogramTest, EntropyKeepsAShortSide) {
  std::vector<float> values = Normal(200'000);
  for (float& value : values) {
    value = value > 0 ? value : -0.17f * std::fabs(std::tanh(value));
  }
  values[0] = 60;
  InputHistogram histogram(-0.17f, 60);
  histogram.Add(values);
  const InputRange range = EntropyRange(histogram);
  EXPECT_EQ(range.low, -0.17f);
  EXPECT_GE(range.high, 4);
  EXPECT_LE(range.high, 12);
}

}  // namespace
}  // namespace quaver
