// Tests of the continuous batcher while the number of its instances changes.
#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/workers.h"
#include "quaver/sched/continuous_batcher.h"
#include "quaver/sched/continuous_batcher_fixture.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ContinuousBatcherResizeTest : public ContinuousBatcherTest {
 protected:
  // An item on its way to a gate of its own.
  struct Held {
    explicit Held(int steps) : item(steps) {
      gate.Set(false);
      item.gate = &gate;
    }
    Countdown item;
    Gate gate;
    absl::Status status = absl::UnknownError("not answered");
  };

  static void AwaitAtGate(Held& held) {
    AwaitThat([&] { return held.gate.num_waiting() == 1; });
  }
  // Returns when it is at its gate, on an instance that was idle.
  void Occupy(Held& held) {
    Start(held.item, held.status);
    AwaitAtGate(held);
  }
  // Resizes in a thread. Returns when that has begun.
  void StartResize(int wanted, std::atomic<bool>& resized) {
    threads_.emplace_back([this, wanted, &resized] {
      batcher_->Resize(wanted);
      resized = true;
    });
    AwaitThat([&] { return batcher_->num_instances() == wanted; });
  }
};

TEST_F(ContinuousBatcherResizeTest, MoreInstancesTakeWhatWaits) {
  Make({.num_instances = 1, .max_active = 8});
  Held running(1), second(1), third(1), fourth(1);
  Occupy(running);
  Queue(second.item, second.status);
  Queue(third.item, third.status);
  batcher_->Resize(4);
  AwaitAtGate(second);
  AwaitAtGate(third);
  EXPECT_EQ(batcher_->num_waiting(), 0);
  EXPECT_EQ(batcher_->statistics().num_instances, 4);
  EXPECT_EQ(batcher_->statistics().num_active, 3);
  Occupy(fourth);  // one more was idle
  for (Held* one : {&running, &second, &third, &fourth}) one->gate.Set(true);
  Join();
  size_t thread = 0;
  for (const Held* one : {&running, &second, &third, &fourth}) {
    EXPECT_TRUE(one->status.ok()) << one->status;
    EXPECT_EQ(one->item.most_company, 1u);
    EXPECT_THAT(one->item.led, ElementsAre(ids_[thread++]));
  }
}

TEST_F(ContinuousBatcherResizeTest, AnUnwantedInstanceFinishesItsItemsOnly) {
  Make({.num_instances = 2, .max_active = 8});
  Held kept(2), leader(2), follower(3), waiting(1);
  Occupy(kept);    // on instance 0
  Occupy(leader);  // on instance 1
  Queue(follower.item, follower.status);
  Queue(waiting.item, waiting.status);
  // Two of four are its share: the leader's second step is with the follower.
  leader.gate.Set(true);
  AwaitAtGate(follower);
  EXPECT_EQ(batcher_->num_waiting(), 1);
  std::atomic<bool> resized = false;
  StartResize(1, resized);
  EXPECT_FALSE(resized);
  EXPECT_EQ(batcher_->statistics().num_active, 3);
  follower.gate.Set(true);
  AwaitThat([&] { return resized.load(); });
  // The instance is gone, though one waits and the other instance is at a step.
  EXPECT_THAT(active_[1], IsEmpty());
  EXPECT_EQ(batcher_->num_waiting(), 1);
  EXPECT_EQ(batcher_->statistics().num_active, 1);
  EXPECT_THAT(leader.item.led, ElementsAre(ids_[1], ids_[1]));
  EXPECT_THAT(follower.item.led, ElementsAre(ids_[1], ids_[2], ids_[2]));
  EXPECT_EQ(follower.item.most_company, 2u);
  waiting.gate.Set(true);
  kept.gate.Set(true);
  Join();
  EXPECT_THAT(waiting.item.led, ElementsAre(ids_[0]));
  for (const Held* one : {&kept, &leader, &follower, &waiting}) {
    EXPECT_TRUE(one->status.ok()) << one->status;
  }
}

TEST_F(ContinuousBatcherResizeTest, WantedInstancesShareTheRest) {
  Make({.num_instances = 2, .max_active = 8});
  Held kept(2), unwanted(1);
  Countdown third(1), fourth(1);
  absl::Status statuses[2];
  Occupy(kept);      // on instance 0
  Occupy(unwanted);  // on instance 1
  Queue(third, statuses[0]);
  Queue(fourth, statuses[1]);
  std::atomic<bool> resized = false;
  StartResize(1, resized);
  kept.gate.Set(true);
  // Of four items on two instances it would be two.
  AwaitThat([&] { return batcher_->statistics().num_succeeded == 3; });
  EXPECT_EQ(kept.item.most_company, 3u);
  EXPECT_FALSE(resized);
  Countdown last(1);  // finds instance 0 idle
  EXPECT_TRUE(batcher_->Run(last).ok());
  EXPECT_FALSE(resized);
  unwanted.gate.Set(true);
  Join();
  EXPECT_TRUE(resized);
  EXPECT_TRUE(kept.status.ok() && unwanted.status.ok());
  EXPECT_TRUE(statuses[0].ok() && statuses[1].ok());
}

TEST_F(ContinuousBatcherResizeTest, FewerAndThenMore) {
  Make({.num_instances = 3, .max_waiting = 0});
  batcher_->Resize(1);
  EXPECT_EQ(batcher_->num_instances(), 1);
  Held first(1), second(1);
  Countdown refused(1);
  Occupy(first);
  EXPECT_TRUE(absl::IsResourceExhausted(batcher_->Run(refused)));
  batcher_->Resize(2);
  Occupy(second);
  const absl::Status status = batcher_->Run(refused);
  EXPECT_THAT(std::string(status.message()),
              testing::HasSubstr("Exceeds maximum queue size of 0"));
  EXPECT_EQ(batcher_->num_instances(), 2);
  first.gate.Set(true);
  second.gate.Set(true);
  Join();
  EXPECT_TRUE(first.status.ok() && second.status.ok());
  EXPECT_EQ(second.item.most_company, 1u);
  batcher_->Resize(0);
  EXPECT_EQ(batcher_->num_instances(), AvailableCores());
}

TEST_F(ContinuousBatcherResizeTest, ManyThreadsWhileTheNumberChanges) {
  Make({.num_instances = 2, .max_active = 3, .max_waiting = 4});
  std::atomic<int> answered = 0;
  std::atomic<bool> stop = false;
  for (int i = 0; i < 8; ++i) {
    threads_.emplace_back([&, i] {
      for (int round = 0; !stop; ++round) {
        const int steps = (i + round) % 7 == 0 ? -1 : 1 + (i * round) % 5;
        Countdown item(steps);
        const absl::Status status = batcher_->Run(item);
        ++answered;
        if (absl::IsResourceExhausted(status)) {
          EXPECT_EQ(item.taken, 0);
        } else if (steps < 0) {
          EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
        } else {
          EXPECT_TRUE(status.ok()) << status;
          EXPECT_EQ(item.taken, steps);
          EXPECT_LE(item.most_company, 3u);
        }
      }
    });
  }
  for (int i = 0; i < 400; ++i) {
    const int wanted = 1 + (3 * i + i / 4) % kMostInstances;
    const int before = answered;
    batcher_->Resize(wanted);
    EXPECT_EQ(batcher_->num_instances(), wanted);
    for (int unwanted = wanted; unwanted < kMostInstances; ++unwanted) {
      EXPECT_THAT(active_[static_cast<size_t>(unwanted)], IsEmpty());
    }
    AwaitThat([&] { return answered > before; });
  }
  stop = true;
  Join();
  const StepStatistics counts = batcher_->statistics();
  EXPECT_GT(counts.num_succeeded, 0u);
  EXPECT_EQ(counts.num_waiting, 0);
  EXPECT_EQ(counts.num_active, 0);
  for (const auto& active : active_) EXPECT_THAT(active, IsEmpty());
}

}  // namespace
}  // namespace quaver
