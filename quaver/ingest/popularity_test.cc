// Tests of popularity as a share: order, ties, and the ends of the scale.
#include "quaver/ingest/popularity.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "quaver/base/hash.h"

namespace quaver {
namespace {

TEST(PopularityTest, IsTheShareThatIsLessPopular) {
  std::vector<double> values(1000);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<double>(i);
  }
  const Quantiles quantiles = MakeQuantiles(values);
  ASSERT_EQ(quantiles.size(), kNumQuantiles);
  EXPECT_EQ(PopularityShare(quantiles, 0), 0);
  EXPECT_NEAR(PopularityShare(quantiles, 500), 0.5, 0.01);
  EXPECT_NEAR(PopularityShare(quantiles, 900), 0.9, 0.003);
  EXPECT_NEAR(PopularityShare(quantiles, 990), 0.99, 0.001);
  EXPECT_EQ(PopularityShare(quantiles, -5), 0);
  EXPECT_GT(PopularityShare(quantiles, 5000), 0.9999);
  EXPECT_LT(PopularityShare(quantiles, 5000), 1);
}

TEST(PopularityTest, FewValuesAreNotFarApart) {
  const Quantiles quantiles = MakeQuantiles({5, 6, 7, 8});
  EXPECT_NEAR(PopularityShare(quantiles, 8), 0.75, 0.02);
  EXPECT_NEAR(PopularityShare(quantiles, 7), 0.5, 0.02);
}

TEST(PopularityTest, NeverFallsAsTheValueRises) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    std::vector<double> values(1 + random.Below(2000));
    for (double& value : values) {
      // Few distinct values, spread over many decades, of both signs.
      value = random.Normal() * std::exp2(static_cast<int>(random.Below(60)));
      if (random.Chance(0.5)) value = static_cast<double>(random.Below(4));
    }
    const Quantiles quantiles = MakeQuantiles(values);
    ASSERT_TRUE(std::is_sorted(quantiles.begin(), quantiles.end()));
    std::sort(values.begin(), values.end());
    float last = 0;
    for (const double value : values) {
      const float share = PopularityShare(quantiles, value);
      ASSERT_GE(share, last) << "seed " << seed << ", value " << value;
      ASSERT_LT(share, 1);
      last = share;
    }
  }
}

TEST(PopularityTest, TellsTheMostPopularApart) {
  std::vector<double> values;
  for (int rank = 1; rank <= 100'000; ++rank) values.push_back(1.0 / rank);
  const Quantiles quantiles = MakeQuantiles(values);
  for (int rank = 1; rank < 100; ++rank) {
    EXPECT_GT(PopularityShare(quantiles, 1.0 / rank),
              PopularityShare(quantiles, 1.0 / (rank + 1)))
        << rank;
  }
}

TEST(PopularityTest, EqualValuesShareTheLeastOfTheirPlaces) {
  std::vector<double> values(900, 0.0);  // never played
  for (int i = 1; i <= 100; ++i) values.push_back(i);
  const Quantiles quantiles = MakeQuantiles(values);
  EXPECT_EQ(PopularityShare(quantiles, 0), 0) << "nobody is less popular";
  EXPECT_GE(PopularityShare(quantiles, 1), 0.89);
  EXPECT_GT(PopularityShare(quantiles, 2), PopularityShare(quantiles, 1));
}

TEST(PopularityTest, KnowsNothingOfNoneOrEqualValues) {
  EXPECT_TRUE(MakeQuantiles({}).empty());
  EXPECT_TRUE(MakeQuantiles({3}).empty());
  EXPECT_TRUE(MakeQuantiles({3, 3, 3}).empty());
  EXPECT_EQ(PopularityShare({}, 7), 0.5f);
}

TEST(PopularityTest, TakesTheGreatestDoubles) {
  const double huge = std::numeric_limits<double>::max();
  const Quantiles quantiles = MakeQuantiles({-huge, 0, huge});
  float last = 0;
  for (const double value : {-huge, -1.0, 0.0, 1.0, huge / 2, huge}) {
    const float share = PopularityShare(quantiles, value);
    EXPECT_GE(share, last) << value;  // not NaN either
    EXPECT_LT(share, 1);
    last = share;
  }
}

}  // namespace
}  // namespace quaver
