// Tests of the batcher under many callers at once.
#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/sched/batcher.h"

namespace quaver {
namespace {

struct Job : BatchItem {
  explicit Job(int value, CallOptions asked = {}) : input(value) {
    tokens = 1;
    options = asked;
  }
  int input;
  int output = 0;
};

void Double(int /*instance*/, std::span<BatchItem* const> batch) {
  for (BatchItem* item : batch) {
    auto& job = static_cast<Job&>(*item);
    job.output = 2 * job.input;
  }
}

// Every kind of call at once: each is answered once, rightly, and counted.
TEST(BatcherLoadTest, ServesAMobOfCallers) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 400;
  for (const bool preserve : {false, true}) {
    DynamicBatching batching = {.max_queue_delay_us = 50,
                                .adaptive = true,
                                .preserve_ordering = preserve};
    batching.default_queue_policy = {.default_timeout_us = 20'000,
                                     .allow_timeout_override = true,
                                     .max_queue_size = 6};
    auto batcher = Batcher::Create(
        {.num_instances = 2, .max_batch_size = 4, .batching = batching},
        Double);
    ASSERT_TRUE(batcher.ok());
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    std::atomic<bool> cancelled = false;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < kRounds; ++round) {
          CallOptions options;
          if (i == 0) cancelled = round % 2 == 0;
          if (i == 1) options.cancelled = &cancelled;
          if (i == 2) options.timeout_us = 1 + round % 100;
          if (i == 3) {
            options.deadline_us = Clock::Real().NowUs() + round % 100;
          }
          Job job(1000 * i + round + 1, options);
          const absl::Status status = (*batcher)->Run(job);
          if (job.output != (status.ok() ? 2 * job.input : 0)) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
    const BatcherStatistics statistics = (*batcher)->statistics();
    EXPECT_EQ(statistics.num_succeeded + statistics.num_rejected +
                  statistics.num_expired + statistics.num_cancelled,
              static_cast<uint64_t>(kThreads * kRounds));
    uint64_t items = 0;
    uint64_t batches = 0;
    for (const auto& [size, count] : statistics.by_size) {
      EXPECT_LE(size, 4);
      items += static_cast<uint64_t>(size) * count.count;
      batches += count.count;
    }
    EXPECT_EQ(items, statistics.num_succeeded);
    uint64_t closed = 0;
    for (const uint64_t count : statistics.by_close_reason) closed += count;
    EXPECT_EQ(closed, batches);
  }
}

TEST(BatcherLoadTest, NeverUsesAnInstanceTwice) {
  constexpr int kInstances = 3;
  std::atomic<int> users[kInstances] = {};
  std::atomic<int> collisions = 0;
  auto batcher =
      Batcher::Create({.num_instances = kInstances, .max_batch_size = 2},
                      [&](int instance, std::span<BatchItem* const>) {
                        if (++users[instance] != 1) ++collisions;
                        std::this_thread::yield();
                        --users[instance];
                      });
  ASSERT_TRUE(batcher.ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        Job job(round);
        EXPECT_TRUE((*batcher)->Run(job).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(collisions, 0);
}

TEST(BatcherLoadTest, NeverUsesAnInstanceTwiceWhileTheirNumberChanges) {
  constexpr int kMost = 5;
  std::atomic<int> users[kMost] = {};
  std::atomic<int> collisions = 0;
  auto batcher =
      Batcher::Create({.num_instances = 2, .max_batch_size = 2},
                      [&](int instance, std::span<BatchItem* const>) {
                        if (++users[instance] != 1) ++collisions;
                        std::this_thread::yield();
                        --users[instance];
                      });
  ASSERT_TRUE(batcher.ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        Job job(round);
        EXPECT_TRUE((*batcher)->Run(job).ok());
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    const int wanted = 1 + (3 * i) % kMost;
    (*batcher)->Resize(wanted);
    for (int unwanted = wanted; unwanted < kMost; ++unwanted) {
      EXPECT_EQ(users[unwanted], 0);
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(collisions, 0);
  EXPECT_EQ((*batcher)->statistics().num_succeeded, 8u * 300u);
}

}  // namespace
}  // namespace quaver
