// Tests of the statistics against values worked out by hand.
#include "quaver/eval/statistics.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

using ::testing::ElementsAre;

TEST(StatisticsTest, MeanAndNearestRankPercentiles) {
  EXPECT_EQ(Mean({}), 0);
  EXPECT_EQ(Mean(std::vector<double>{1, 2, 6}), 3);
  const std::vector<double> values = {15, 50, 20, 40, 35};
  EXPECT_EQ(Percentile(values, 0), 15);
  EXPECT_EQ(Percentile(values, 0.05), 15);
  EXPECT_EQ(Percentile(values, 0.3), 20);
  EXPECT_EQ(Percentile(values, 0.4), 20);
  EXPECT_EQ(Percentile(values, 0.5), 35);
  EXPECT_EQ(Percentile(values, 1), 50);
  EXPECT_EQ(Percentile({}, 0.5), 0);
}

TEST(StatisticsTest, RanksShareTheirMeanAmongEquals) {
  EXPECT_THAT(MeanRanks(std::vector<double>{10, 30, 20, 20, 5}),
              ElementsAre(2, 5, 3.5, 3.5, 1));
}

TEST(StatisticsTest, SpearmanIsOneForAnyRisingMap) {
  const std::vector<double> x = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(Spearman(x, std::vector<double>{1, 8, 27, 64}), 1);
  EXPECT_DOUBLE_EQ(Spearman(x, std::vector<double>{4, 3, 2, 1}), -1);
  EXPECT_EQ(Spearman(x, std::vector<double>{7, 7, 7, 7}), 0);
  // Ranks 1 2 3 4 and 2 1 4 3: 1 - 6 * 4 / (4 * 15) = 0.6.
  EXPECT_DOUBLE_EQ(Spearman(x, std::vector<double>{5, 1, 9, 7}), 0.6);
  // With a tie: ranks 1 2 3 4 and 1.5 1.5 3 4; 4.5 / sqrt(5 * 4.5).
  EXPECT_DOUBLE_EQ(Spearman(x, std::vector<double>{1, 1, 2, 3}),
                   4.5 / std::sqrt(5 * 4.5));
}

TEST(StatisticsTest, NdcgOfAWorkedExample) {
  // Found gains 3, 0, 2; relevant 3, 2, 1.
  const double found = 3 + 2 / std::log2(4.0);
  const double best = 3 + 2 / std::log2(3.0) + 1 / std::log2(4.0);
  EXPECT_DOUBLE_EQ(NdcgAt(10, std::vector<double>{3, 0, 2}, {1, 2, 3}),
                   found / best);
  EXPECT_DOUBLE_EQ(NdcgAt(1, std::vector<double>{3, 0, 2}, {1, 2, 3}), 1);
  EXPECT_EQ(NdcgAt(10, std::vector<double>{0}, {}), 0);
  EXPECT_EQ(NdcgAt(10, {}, {1}), 0);
}

TEST(StatisticsTest, BootstrapIsSeededAndCoversTheBinomial) {
  std::vector<double> values(400, 0);
  std::fill_n(values.begin(), 320, 1);
  const Interval interval = BootstrapMean(values, 1);
  EXPECT_DOUBLE_EQ(interval.value, 0.8);
  // 1.96 * sqrt(0.8 * 0.2 / 400) = 0.0392; the ends themselves vary by a few
  // thousandths from seed to seed.
  EXPECT_NEAR(interval.low, 0.8 - 0.0392, 0.006);
  EXPECT_NEAR(interval.high, 0.8 + 0.0392, 0.006);
  const Interval again = BootstrapMean(values, 1);
  EXPECT_EQ(interval.low, again.low);
  EXPECT_EQ(interval.high, again.high);
}

TEST(StatisticsTest, BootstrapOfNothingAndOfConstants) {
  EXPECT_EQ(BootstrapMean({}, 1).value, 0);
  const Interval one = BootstrapMean(std::vector<double>{2, 2, 2}, 1);
  EXPECT_EQ(one.low, 2);
  EXPECT_EQ(one.high, 2);
}

TEST(StatisticsTest, DifferencesAreOfPairs) {
  // Each mean of a thousand rows is uncertain by 0.03; only ten of them differ.
  std::vector<double> baseline(1'000), values(1'000);
  for (size_t i = 0; i < 1'000; ++i) {
    baseline[i] = i % 2 == 0;
    values[i] = i % 2 == 0 || i % 100 == 1;
  }
  const Interval interval = BootstrapDifference(values, baseline, 1);
  EXPECT_DOUBLE_EQ(interval.value, 0.01);
  // 1.96 * sqrt(0.01 * 0.99 / 1000) = 0.0062
  EXPECT_NEAR(interval.low, 0.01 - 0.0062, 0.0015);
  EXPECT_NEAR(interval.high, 0.01 + 0.0062, 0.0015);
  EXPECT_DOUBLE_EQ(BootstrapDifference(baseline, values, 1).value, -0.01);
  const Interval none = BootstrapDifference(values, values, 1);
  EXPECT_EQ(none.low, 0);
  EXPECT_EQ(none.high, 0);
}

TEST(StatisticsTest, BootstrapResamplesRowsTogether) {
  const std::vector<double> x = {1, 2, 3, 4, 5, 6};
  const Interval interval = Bootstrap(
      x.size(),
      [&](std::span<const size_t> rows) {
        std::vector<double> a, b;
        for (const size_t row : rows) {
          a.push_back(x[row]);
          b.push_back(2 * x[row]);
        }
        return Spearman(a, b);
      },
      3, 200);
  EXPECT_DOUBLE_EQ(interval.value, 1);
  EXPECT_DOUBLE_EQ(interval.low, 1);  // pairs stay pairs
}

}  // namespace
}  // namespace quaver
