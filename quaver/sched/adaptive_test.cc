// Tests of waiting only while it gains something, and of the estimates behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/sched/batch_queue_fixture.h"
#include "quaver/sched/internal/load_estimates.h"

namespace quaver {
namespace {

using testing::ElementsAre;

class AdaptiveTest : public BatchQueueTest {
 protected:
  void SetUp() override {
    Make({.max_batch_tokens = 100,
          .batching = {.max_queue_delay_us = 10'000, .adaptive = true}});
  }
};

TEST_F(AdaptiveTest, DoesNotWaitBeforeItKnowsAGain) {
  QueuedItem* item = Add(10);
  const Decision next = Next();
  EXPECT_THAT(next.batch, ElementsAre(item));
  EXPECT_EQ(next.reason, CloseReason::kAdaptive);
}

TEST_F(AdaptiveTest, WaitsWhileTheFixedCostOutweighsIt) {
  Measure(/*fixed_us=*/2000, /*us_a_token=*/10);
  Arrive(/*gap_us=*/100);
  // One item: (2000 - 10 x 10) / 2; two: (2000 - 2 x 10 x 10) / 3.
  QueuedItem* first = Add(10);
  EXPECT_NEAR(static_cast<double>(WaitsUntil() - now_us_), 950, 5);
  now_us_ += 500;
  QueuedItem* second = Add(10);
  EXPECT_NEAR(static_cast<double>(WaitsUntil() - now_us_), 600, 5);
  now_us_ += 605;
  const Decision next = Next();
  EXPECT_THAT(next.batch, ElementsAre(first, second));
  EXPECT_EQ(next.reason, CloseReason::kAdaptive);
}

TEST_F(AdaptiveTest, WaitsNoLongerThanTheDelay) {
  Make({.batching = {.max_queue_delay_us = 400, .adaptive = true}});
  Measure(2000, 10);
  Arrive(100);
  Add(10);
  EXPECT_EQ(WaitsUntil(), now_us_ + 400);
  now_us_ += 400;
  EXPECT_EQ(Next().reason, CloseReason::kDelay);
}

TEST_F(AdaptiveTest, DoesNotWaitForWhatIsNotExpected) {
  Measure(2000, 10);
  Arrive(/*gap_us=*/1000);  // more than 950
  now_us_ += 1000;
  Add(10);
  EXPECT_EQ(Next().reason, CloseReason::kAdaptive);
}

TEST_F(AdaptiveTest, DoesNotWaitBesideAnotherIdleInstance) {
  Measure(2000, 10);
  Arrive(100);
  Add(10);
  EXPECT_EQ(Next(/*num_idle=*/2).reason, CloseReason::kAdaptive);
}

TEST_F(AdaptiveTest, DoesNotWaitWhereTokensCostAll) {
  Measure(/*fixed_us=*/0, /*us_a_token=*/100);
  Arrive(10);
  Add(10);
  EXPECT_EQ(Next().reason, CloseReason::kAdaptive);
}

TEST_F(AdaptiveTest, DoesNotWaitForWhatWouldNotFit) {
  Measure(2000, 10);
  Arrive(100);
  Add(91);
  EXPECT_EQ(Next().reason, CloseReason::kAdaptive);
}

TEST_F(AdaptiveTest, ForgetsAPause) {
  Measure(2000, 10);
  Arrive(100);
  now_us_ += 3'600'000'000;
  Arrive(100);
  Add(10);
  WaitsUntil();
}

TEST(LoadEstimatesTest, FindsTheLine) {
  LoadEstimates load;
  EXPECT_EQ(load.CostUs(100), 0);
  load.Computed(10, 1000);
  EXPECT_EQ(load.CostUs(20), 2000);  // one batch does not tell a fixed cost
  for (int i = 0; i < 200; ++i) {
    const int64_t tokens = 10 + i % 5 * 10;
    load.Computed(tokens, 700 + 20 * tokens);
  }
  EXPECT_NEAR(static_cast<double>(load.CostUs(10)), 900, 2);
  EXPECT_NEAR(static_cast<double>(load.CostUs(200)), 4700, 10);
}

TEST(LoadEstimatesTest, KnowsHowFarCostsStray) {
  LoadEstimates load;
  for (int i = 0; i < 400; ++i) load.Computed(10, 1000);
  EXPECT_EQ(load.SafeCostUs(10), 1000);
  for (int i = 0; i < 400; ++i) load.Computed(10, i % 2 == 0 ? 800 : 1200);
  EXPECT_NEAR(static_cast<double>(load.SafeCostUs(10)), 1400, 50);
}

TEST(LoadEstimatesTest, ExpectsNoNegativeCosts) {
  LoadEstimates load;
  for (int i = 0; i < 50; ++i)
    load.Computed(i % 2 == 0 ? 10 : 100, 1000 - i % 2);
  EXPECT_NEAR(static_cast<double>(load.CostUs(0)), 1000, 2);  // b = 0
  for (int i = 0; i < 200; ++i)
    load.Computed(i % 2 == 0 ? 10 : 100, i % 2 == 0 ? 1 : 1000);
  EXPECT_EQ(load.CostUs(0), 0);  // a = 0, where the line would cut below
}

}  // namespace
}  // namespace quaver
