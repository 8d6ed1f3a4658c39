// Tests of the continuous batcher: who leads, who joins when, who is refused.
#include "quaver/sched/continuous_batcher.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/sched/continuous_batcher_fixture.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(ContinuousBatcherTest, ComputesALoneItemInItsCallersThread) {
  Make({.num_instances = 2});
  for (const int steps : {1, 3}) {
    Countdown item(steps);
    EXPECT_TRUE(batcher_->Run(item).ok());
    EXPECT_EQ(item.taken, steps);
    EXPECT_EQ(item.most_company, 1u);
    EXPECT_THAT(item.led, testing::Each(std::this_thread::get_id()));
  }
}

TEST_F(ContinuousBatcherTest, ItemsJoinBetweenSteps) {
  Make({.num_instances = 1, .max_active = 2});
  Countdown leader(3), second(1), third(1), fourth(1);
  absl::Status statuses[4];
  Occupy(leader, statuses[0]);
  Queue(second, statuses[1]);
  Queue(third, statuses[2]);
  Queue(fourth, statuses[3]);
  LetGo();
  Join();
  for (const absl::Status& status : statuses) EXPECT_TRUE(status.ok());
  // One place beside the leader: second, then third, in the order they came;
  // fourth finds it done.
  EXPECT_THAT(leader.led, ElementsAre(ids_[0], ids_[0], ids_[0]));
  EXPECT_EQ(leader.most_company, 2u);
  EXPECT_THAT(second.led, ElementsAre(ids_[0]));
  EXPECT_THAT(third.led, ElementsAre(ids_[0]));
  EXPECT_THAT(fourth.led, ElementsAre(ids_[3]));
  EXPECT_EQ(fourth.most_company, 1u);
}

TEST_F(ContinuousBatcherTest, ThoseThatAreActiveLeadOn) {
  Make({.num_instances = 1, .max_active = 3});
  Countdown leader(2), second(4), third(3);
  absl::Status statuses[3];
  Occupy(leader, statuses[0]);
  Queue(second, statuses[1]);
  Queue(third, statuses[2]);
  LetGo();
  Join();
  // The last to come leads next, and then who is left.
  EXPECT_THAT(leader.led, ElementsAre(ids_[0], ids_[0]));
  EXPECT_THAT(third.led, ElementsAre(ids_[0], ids_[2], ids_[2]));
  EXPECT_THAT(second.led, ElementsAre(ids_[0], ids_[2], ids_[2], ids_[1]));
  EXPECT_EQ(third.most_company, 3u);
}

TEST_F(ContinuousBatcherTest, RefusesWhenTheQueueIsFull) {
  Make({.num_instances = 1, .max_active = 1, .max_waiting = 1});
  Countdown leader(1), second(1), third(1);
  absl::Status statuses[2];
  Occupy(leader, statuses[0]);
  Queue(second, statuses[1]);
  const absl::Status refused = batcher_->Run(third);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(third.taken, 0);
  LetGo();
  Join();
  EXPECT_TRUE(statuses[0].ok() && statuses[1].ok());
  EXPECT_EQ(batcher_->num_waiting(), 0);
  EXPECT_TRUE(batcher_->Run(third).ok());
}

TEST_F(ContinuousBatcherTest, UsesIdleInstancesFirst) {
  Make({.num_instances = 2, .max_waiting = 0});
  Countdown first(1), second(1), third(1);
  absl::Status statuses[2];
  Occupy(first, statuses[0]);
  Start(second, statuses[1]);
  AwaitHeld(2);
  EXPECT_TRUE(absl::IsResourceExhausted(batcher_->Run(third)));
  LetGo();
  Join();
  EXPECT_EQ(first.most_company, 1u);
  EXPECT_EQ(second.most_company, 1u);
}

TEST_F(ContinuousBatcherTest, AnErrorIsItsOwnItems) {
  Make({.num_instances = 1});
  Countdown alone(-1);
  EXPECT_TRUE(absl::IsInvalidArgument(batcher_->Run(alone)));
  Countdown leader(2), bad(-1), good(1), last_bad(-1);
  absl::Status statuses[4];
  Occupy(leader, statuses[0]);
  Queue(bad, statuses[1]);
  Queue(good, statuses[2]);
  Queue(last_bad, statuses[3]);
  LetGo();
  Join();
  EXPECT_TRUE(statuses[0].ok());
  EXPECT_TRUE(absl::IsInvalidArgument(statuses[1]));
  EXPECT_TRUE(statuses[2].ok());
  EXPECT_TRUE(absl::IsInvalidArgument(statuses[3]));
  EXPECT_EQ(bad.taken, 0);
  EXPECT_EQ(good.taken, 1);
}

TEST_F(ContinuousBatcherTest, ABadItemThatLeadsPassesOn) {
  Make({.num_instances = 1, .max_active = 1});
  Countdown leader(1), bad(-1), good(1);
  absl::Status statuses[3];
  Occupy(leader, statuses[0]);
  Queue(bad, statuses[1]);
  Queue(good, statuses[2]);
  LetGo();
  Join();
  EXPECT_TRUE(absl::IsInvalidArgument(statuses[1]));
  EXPECT_TRUE(statuses[2].ok());
  EXPECT_THAT(good.led, ElementsAre(ids_[2]));
}

TEST_F(ContinuousBatcherTest, WhatNobodyWantsLeavesBeforeTheNextStep) {
  Make({.num_instances = 1, .max_active = 2});
  std::atomic<bool> gone = false;
  Countdown leader(100), follower(2);
  leader.options.cancelled = &gone;
  absl::Status statuses[2];
  Occupy(leader, statuses[0]);
  Queue(follower, statuses[1]);
  gone = true;
  LetGo();
  Join();
  EXPECT_TRUE(absl::IsCancelled(statuses[0])) << statuses[0];
  EXPECT_EQ(leader.taken, 1);
  EXPECT_TRUE(statuses[1].ok());
  EXPECT_EQ(follower.taken, 2);
  EXPECT_EQ(follower.most_company, 1u);
}

TEST_F(ContinuousBatcherTest, WhatIsLateNeverBegins) {
  Make({.num_instances = 1, .max_active = 2});
  Countdown leader(3), late(1), in_time(1);
  late.options.deadline_us = 1000;
  in_time.options.deadline_us = 1001;
  absl::Status statuses[3];
  Occupy(leader, statuses[0]);
  Queue(late, statuses[1]);
  Queue(in_time, statuses[2]);
  clock_.AdvanceUs(1000);
  LetGo();
  Join();
  EXPECT_TRUE(statuses[0].ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(statuses[1])) << statuses[1];
  EXPECT_EQ(late.taken, 0);
  EXPECT_TRUE(statuses[2].ok());
  EXPECT_EQ(in_time.times.queue_us, 1000);
}

TEST_F(ContinuousBatcherTest, CountsStepsAndTheirCompany) {
  Make({.num_instances = 1, .max_active = 2, .max_waiting = 2});
  std::atomic<bool> gone = false;
  Countdown leader(3), follower(1), cancelled(1), refused(1);
  cancelled.options.cancelled = &gone;
  absl::Status statuses[3];
  Occupy(leader, statuses[0]);
  Queue(follower, statuses[1]);
  Queue(cancelled, statuses[2]);
  EXPECT_TRUE(absl::IsResourceExhausted(batcher_->Run(refused)));
  StepStatistics counts = batcher_->statistics();
  EXPECT_EQ(counts.num_waiting, 2);
  EXPECT_EQ(counts.num_active, 1);
  EXPECT_EQ(counts.num_instances, 1);
  gone = true;
  LetGo();
  Join();
  counts = batcher_->statistics();
  EXPECT_EQ(counts.num_succeeded, 2u);
  EXPECT_EQ(counts.num_cancelled, 1u);
  EXPECT_EQ(counts.num_rejected, 1u);
  EXPECT_EQ(counts.num_failed + counts.num_expired, 0u);
  EXPECT_EQ(counts.by_size.at(1).count, 2u);
  EXPECT_EQ(counts.by_size.at(2).count, 1u);
  EXPECT_EQ(counts.num_waiting, 0);
  EXPECT_EQ(counts.num_active, 0);
}

TEST_F(ContinuousBatcherTest, ManyThreadsManyTimes) {
  Make({.num_instances = 2, .max_active = 3, .max_waiting = 4});
  std::atomic<int> done = 0, bad = 0, refused = 0;
  for (int i = 0; i < 12; ++i) {
    threads_.emplace_back([&, i] {
      for (int round = 0; round < 500; ++round) {
        const int steps = (i + round) % 7 == 0 ? -1 : 1 + (i * round) % 5;
        Countdown item(steps);
        const absl::Status status = batcher_->Run(item);
        if (absl::IsResourceExhausted(status)) {
          EXPECT_EQ(item.taken, 0);
          ++refused;
        } else if (steps < 0) {
          EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
          ++bad;
        } else {
          EXPECT_TRUE(status.ok()) << status;
          EXPECT_EQ(item.taken, steps);
          EXPECT_LE(item.most_company, 3u);
          ++done;
        }
      }
    });
  }
  Join();
  EXPECT_EQ(done + bad + refused, 12 * 500);
  EXPECT_GT(done, 0);
  EXPECT_EQ(batcher_->num_waiting(), 0);
  for (const auto& active : active_) EXPECT_THAT(active, IsEmpty());
}

}  // namespace
}  // namespace quaver
