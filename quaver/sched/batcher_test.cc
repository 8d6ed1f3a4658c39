// Tests of the batcher's threads: who computes, who waits, who is refused.
#include "quaver/sched/batcher.h"

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/workers.h"
#include "quaver/sched/servable_fixture.h"

namespace quaver {
namespace {

using testing::ElementsAre;

struct Job : BatchItem {
  explicit Job(int value, CallOptions asked = {}) : input(value) {
    tokens = 1;
    options = asked;
  }
  int input;
  int output = 0;
  std::thread::id computed_by;
};

// A batcher that doubles numbers, and threads that ask it.
class BatcherTest : public testing::Test {
 protected:
  ~BatcherTest() override { Join(); }

  void Make(const BatcherConfig& config, const Clock& clock = Clock::Real()) {
    auto batcher = Batcher::Create(
        config,
        [this](int instance, std::span<BatchItem* const> batch) {
          gate_.Pass();
          for (BatchItem* item : batch) {
            auto& job = static_cast<Job&>(*item);
            job.output = 2 * job.input;
            job.computed_by = std::this_thread::get_id();
            if (job.input < 0) job.status = absl::InternalError("negative");
            const MutexLock lock(&mutex_);
            order_.push_back(job.input);
          }
          last_instance_ = instance;
        },
        clock);
    ASSERT_TRUE(batcher.ok()) << batcher.status();
    batcher_ = *std::move(batcher);
  }

  void Spawn(std::function<void()> body) {
    threads_.emplace_back(std::move(body));
  }

  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  // Runs the job in a thread and returns when it is in the queue.
  void Queue(Job& job, absl::Status& status) {
    const int before = batcher_->statistics().num_queued;
    Spawn([&] { status = batcher_->Run(job); });
    Await([&] { return batcher_->statistics().num_queued == before + 1; });
  }

  // Runs the job in a thread and returns when it is computed, up to the gate.
  void Occupy(Job& job) {
    gate_.Set(false);
    const int before = batcher_->statistics().num_running;
    Spawn([&] { EXPECT_TRUE(batcher_->Run(job).ok()); });
    Await([&] { return batcher_->statistics().num_running == before + 1; });
  }

  static void Await(const std::function<bool()>& holds) {
    while (!holds()) std::this_thread::yield();
  }

  uint64_t Closed(CloseReason reason) const {
    return batcher_->statistics().by_close_reason[static_cast<size_t>(reason)];
  }

  Gate gate_;
  Mutex mutex_;
  std::vector<int> order_;  // of what was computed; guarded by mutex_
  std::atomic<int> last_instance_ = -1;
  std::unique_ptr<Batcher> batcher_;
  std::vector<std::thread> threads_;
};

TEST_F(BatcherTest, ComputesALoneCallWhereItIs) {
  Make({.num_instances = 2});
  Job job(21);
  EXPECT_TRUE(batcher_->Run(job).ok());
  EXPECT_EQ(job.output, 42);
  EXPECT_EQ(job.computed_by, std::this_thread::get_id());
  EXPECT_EQ(job.batch_size, 1);
  EXPECT_EQ(last_instance_, 0);
  const BatcherStatistics statistics = batcher_->statistics();
  EXPECT_EQ(statistics.num_succeeded, 1u);
  EXPECT_EQ(statistics.by_size.at(1).count, 1u);
  EXPECT_EQ(statistics.num_queued, 0);
  EXPECT_EQ(statistics.num_running, 0);
}

TEST_F(BatcherTest, HasOneInstanceACoreByDefault) {
  Make({});
  EXPECT_EQ(batcher_->num_instances(), AvailableCores());
}

TEST_F(BatcherTest, ChecksItsConfig) {
  EXPECT_EQ(Batcher::Create({.num_instances = -1}, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(BatcherTest, MergesWhatCameWhileItWasBusy) {
  Make({.num_instances = 1, .max_batch_size = 3});
  Job first(1);
  Occupy(first);
  std::vector<Job> jobs = {Job(2), Job(3), Job(4), Job(5)};
  std::vector<absl::Status> statuses(jobs.size());
  for (size_t i = 0; i < jobs.size(); ++i) Queue(jobs[i], statuses[i]);
  gate_.Set(true);
  Join();
  for (size_t i = 0; i < jobs.size(); ++i) {
    EXPECT_TRUE(statuses[i].ok()) << statuses[i];
    EXPECT_EQ(jobs[i].output, 2 * jobs[i].input);
    EXPECT_EQ(jobs[i].batch_size, i < 3 ? 3 : 1);
  }
  EXPECT_EQ(jobs[1].computed_by, jobs[0].computed_by);
  EXPECT_EQ(jobs[2].computed_by, jobs[0].computed_by);
  EXPECT_EQ(Closed(CloseReason::kFull), 1u);
  EXPECT_EQ(Closed(CloseReason::kDelay), 2u);
}

TEST_F(BatcherTest, WaitsForThePreferredSize) {
  Make({.num_instances = 2,
        .batching = {.preferred_batch_sizes = {3},
                     .max_queue_delay_us = 3'600'000'000}});
  std::vector<Job> jobs = {Job(1), Job(2), Job(3)};
  for (Job& job : jobs) {
    Spawn([&] { EXPECT_TRUE(batcher_->Run(job).ok()); });
  }
  Join();
  for (const Job& job : jobs) EXPECT_EQ(job.batch_size, 3);
  EXPECT_EQ(Closed(CloseReason::kPreferredSize), 1u);
}

TEST_F(BatcherTest, ClosesAfterTheDelay) {
  FakeClock clock;
  Make({.num_instances = 1, .batching = {.max_queue_delay_us = 2000}}, clock);
  Job first(1);
  Job second(2);
  absl::Status status;
  Queue(first, status);
  clock.AdvanceUs(1999);
  absl::Status other;
  Queue(second, other);
  clock.AdvanceUs(1);
  Join();
  EXPECT_TRUE(status.ok() && other.ok());
  EXPECT_EQ(first.batch_size, 2);
  EXPECT_EQ(first.times.queue_us, 2000);
  EXPECT_EQ(second.times.queue_us, 1);
  EXPECT_EQ(batcher_->statistics().times.queue_us, 2001);
  EXPECT_EQ(Closed(CloseReason::kDelay), 1u);
}

TEST_F(BatcherTest, RefusesAtOnceWhenFull) {
  DynamicBatching batching;
  batching.default_queue_policy.max_queue_size = 1;
  Make({.num_instances = 1, .batching = batching});
  Job running(1);
  Occupy(running);
  std::atomic<bool> cancelled = false;
  Job waiting(2, {.cancelled = &cancelled});
  absl::Status status;
  Queue(waiting, status);
  Job refused(3);
  EXPECT_EQ(batcher_->Run(refused).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.output, 0);
  // What nobody wants any more makes room.
  cancelled = true;
  Job next(4);
  absl::Status next_status;
  Spawn([&] { next_status = batcher_->Run(next); });
  Await([&] { return batcher_->statistics().num_cancelled == 1; });
  gate_.Set(true);
  Join();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(waiting.output, 0);
  EXPECT_TRUE(next_status.ok()) << next_status;
  EXPECT_EQ(next.output, 8);
  EXPECT_EQ(batcher_->statistics().num_rejected, 1u);
}

TEST_F(BatcherTest, GivesUpAtTheDeadlineBesideBusyInstances) {
  FakeClock clock;
  Make({.num_instances = 1}, clock);
  Job running(1);
  Occupy(running);
  Job patient(2);
  Job hasty(3, {.deadline_us = 1000});
  absl::Status patient_status;
  absl::Status hasty_status;
  Queue(patient, patient_status);
  Queue(hasty, hasty_status);
  clock.AdvanceUs(1000);
  Await([&] { return batcher_->statistics().num_expired == 1; });
  gate_.Set(true);
  Join();
  EXPECT_EQ(hasty_status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(hasty.output, 0);
  EXPECT_EQ(patient.output, 4);
}

// The thread that keeps the time for the queue leaves; another has to.
TEST_F(BatcherTest, ClosesAfterTheFrontGaveUp) {
  FakeClock clock;
  std::atomic<bool> cancelled = false;
  Make({.num_instances = 1, .batching = {.max_queue_delay_us = 5000}}, clock);
  Job front(1, {.cancelled = &cancelled});
  Job other(2);
  absl::Status front_status;
  absl::Status status;
  Queue(front, front_status);
  clock.AdvanceUs(100);
  Queue(other, status);
  cancelled = true;
  clock.AdvanceUs(4900);
  Await([&] { return batcher_->statistics().num_cancelled == 1; });
  clock.AdvanceUs(100);
  Join();
  EXPECT_EQ(front_status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(other.output, 4);
}

TEST_F(BatcherTest, GivesEachItsOwnStatus) {
  Make({.num_instances = 1});
  Job running(1);
  Occupy(running);
  Job good(2);
  Job bad(-3);
  absl::Status good_status;
  absl::Status bad_status;
  Queue(good, good_status);
  Queue(bad, bad_status);
  gate_.Set(true);
  Join();
  EXPECT_TRUE(good_status.ok());
  EXPECT_EQ(bad_status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(bad.batch_size, 2);
  EXPECT_EQ(batcher_->statistics().num_failed, 1u);
  EXPECT_EQ(batcher_->statistics().num_succeeded, 2u);
  bad.input = 3;
  EXPECT_TRUE(batcher_->Run(bad).ok());  // an item may be run again
}

TEST_F(BatcherTest, RefusesWhatNoBatchHolds) {
  Make({.max_batch_tokens = 10});
  Job job(1);
  job.tokens = 11;
  EXPECT_EQ(batcher_->Run(job).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(batcher_->statistics().num_invalid, 1u);
}

TEST_F(BatcherTest, StopsAfterWhatIsQueued) {
  Make({.num_instances = 2, .batching = {.max_queue_delay_us = 3'600'000'000}});
  std::vector<Job> jobs = {Job(1), Job(2), Job(3)};
  std::vector<absl::Status> statuses(jobs.size());
  for (size_t i = 0; i < jobs.size(); ++i) Queue(jobs[i], statuses[i]);
  batcher_->Stop();
  const BatcherStatistics statistics = batcher_->statistics();
  EXPECT_EQ(statistics.num_succeeded, 3u);
  EXPECT_EQ(statistics.num_queued, 0);
  EXPECT_EQ(statistics.num_running, 0);
  EXPECT_EQ(Closed(CloseReason::kShutdown), 1u);
  Job late(4);
  EXPECT_EQ(batcher_->Run(late).code(), absl::StatusCode::kUnavailable);
  Join();
  for (const absl::Status& status : statuses) EXPECT_TRUE(status.ok());
}

TEST_F(BatcherTest, AnswersInOrderWhereThatIsAsked) {
  for (const bool preserve : {false, true}) {
    Gate slow;
    slow.Set(false);
    auto batcher =
        Batcher::Create({.num_instances = 2,
                         .max_batch_size = 1,
                         .batching = {.preserve_ordering = preserve}},
                        [&](int, std::span<BatchItem* const> batch) {
                          if (static_cast<Job*>(batch[0])->input == 0)
                            slow.Pass();
                        });
    ASSERT_TRUE(batcher.ok());
    const auto started = [&](uint64_t count) {
      const BatcherStatistics statistics = (*batcher)->statistics();
      return statistics.num_succeeded +
                 static_cast<uint64_t>(statistics.num_running) ==
             count;
    };
    std::atomic<bool> first_answered = false;
    std::atomic<bool> second_answered = false;
    Job first(0);
    Job second(1);
    Spawn([&] {
      EXPECT_TRUE((*batcher)->Run(first).ok());
      first_answered = true;
    });
    Await([&] { return started(1); });
    Spawn([&] {
      EXPECT_TRUE((*batcher)->Run(second).ok());
      second_answered = true;
    });
    Await([&] { return (*batcher)->statistics().num_succeeded == 1; });
    if (!preserve) Await([&] { return second_answered.load(); });
    const bool in_order = !second_answered;
    EXPECT_FALSE(first_answered);
    slow.Set(true);
    Join();
    EXPECT_EQ(in_order, preserve);
    EXPECT_TRUE(second_answered);
  }
}

TEST_F(BatcherTest, MoreInstancesTakeWhatWaits) {
  Make({.num_instances = 1, .max_batch_size = 1});
  Job running(1);
  Occupy(running);
  Job second(2);
  Job third(3);
  absl::Status statuses[2];
  Queue(second, statuses[0]);
  Queue(third, statuses[1]);
  batcher_->Resize(3);
  EXPECT_EQ(batcher_->num_instances(), 3);
  Await([&] { return batcher_->statistics().num_running == 3; });
  EXPECT_EQ(batcher_->statistics().num_queued, 0);
  gate_.Set(true);
  Join();
  EXPECT_TRUE(statuses[0].ok() && statuses[1].ok());
}

TEST_F(BatcherTest, FewerInstancesFinishWhatTheyBegan) {
  Make({.num_instances = 3, .max_batch_size = 1});
  std::vector<Job> jobs = {Job(1), Job(2), Job(3), Job(4)};
  for (size_t i = 0; i < 3; ++i) Occupy(jobs[i]);
  absl::Status status;
  Queue(jobs[3], status);
  std::atomic<bool> resized = false;
  Spawn([&] {
    batcher_->Resize(1);
    resized = true;
  });
  Await([&] { return batcher_->num_instances() == 1; });
  EXPECT_FALSE(resized);  // two batches are on instances nobody wants
  gate_.Set(true);
  Join();
  EXPECT_TRUE(resized);
  EXPECT_TRUE(status.ok());
  for (int i = 0; i < 10; ++i) {
    Job job(i);
    EXPECT_TRUE(batcher_->Run(job).ok());
    EXPECT_EQ(last_instance_, 0);
  }
}

TEST_F(BatcherTest, ServesPrioritiesFirst) {
  Make({.num_instances = 1,
        .max_batch_size = 1,
        .batching = {.priority_levels = 2, .default_priority_level = 2}});
  Job running(1);
  Occupy(running);
  Job low(2);
  Job high(3, {.priority = 1});
  absl::Status low_status;
  absl::Status high_status;
  Queue(low, low_status);
  Queue(high, high_status);
  gate_.Set(true);
  Join();
  EXPECT_TRUE(low_status.ok() && high_status.ok());
  const MutexLock lock(&mutex_);
  EXPECT_THAT(order_, ElementsAre(1, 3, 2));
}

}  // namespace
}  // namespace quaver
