// Tests of the threads that answer gRPC calls.
#include "quaver/serve/internal/worker_pool.h"

#include <atomic>
#include <chrono>

#include <gtest/gtest.h>

namespace quaver {
namespace {

constexpr int64_t kLongUs = 3'600'000'000;

// Holds jobs until it opens.
class Gate {
 public:
  WorkerPool::Job Job() {
    return [this] {
      ++num_in_;
      while (!is_open_) Pause();
      ++num_out_;
    };
  }
  void Open() { is_open_ = true; }
  void AwaitIn(int count) const {
    while (num_in_ < count) Pause();
  }
  int num_out() const { return num_out_; }
  static void Pause() {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

 private:
  std::atomic<bool> is_open_{false};
  std::atomic<int> num_in_{0}, num_out_{0};
};

TEST(WorkerPoolTest, ThreadsStartAsJobsCome) {
  Gate gate;
  WorkerPool pool({.max_threads = 400, .idle_us = kLongUs});
  EXPECT_EQ(pool.num_threads(), 0u);
  for (int i = 1; i <= 400; ++i) {
    ASSERT_TRUE(pool.TryPost(gate.Job()));
    EXPECT_EQ(pool.num_threads(), static_cast<size_t>(i));
  }
  gate.AwaitIn(400);  // all at once
  EXPECT_FALSE(pool.TryPost(gate.Job()));
  gate.Open();
  pool.Stop();
  EXPECT_EQ(gate.num_out(), 400);
  EXPECT_EQ(pool.num_threads(), 0u);
}

TEST(WorkerPoolTest, WhatWaitsIsBoundedAndRunsBeforeTheEnd) {
  Gate gate;
  WorkerPool pool({.max_threads = 1, .max_queue = 2});
  EXPECT_TRUE(pool.TryPost(gate.Job()));
  EXPECT_TRUE(pool.TryPost(gate.Job()));
  EXPECT_TRUE(pool.TryPost(gate.Job()));
  EXPECT_FALSE(pool.TryPost(gate.Job()));
  gate.Open();
  pool.Stop();
  EXPECT_EQ(gate.num_out(), 3);
  EXPECT_FALSE(pool.TryPost(gate.Job()));
}

TEST(WorkerPoolTest, AnIdleThreadIsAskedAgain) {
  WorkerPool pool({.max_threads = 2, .idle_us = kLongUs});
  std::atomic<int> num_done{0};
  const auto job = [&] { ++num_done; };
  for (int i = 0; i < 200; ++i) {
    while (!pool.TryPost(job)) Gate::Pause();
  }
  pool.Stop();
  EXPECT_EQ(num_done, 200);
}

TEST(WorkerPoolTest, IdleThreadsEndAndOthersStart) {
  for (int round = 0; round < 3; ++round) {
    Gate gate;
    WorkerPool pool({.max_threads = 8, .idle_us = 1'000});
    for (int i = 0; i < 8; ++i) EXPECT_TRUE(pool.TryPost(gate.Job()));
    EXPECT_EQ(pool.num_threads(), 8u);
    gate.Open();
    while (pool.num_threads() > 0) Gate::Pause();
    EXPECT_TRUE(pool.TryPost(gate.Job()));
    pool.Stop();
    EXPECT_EQ(gate.num_out(), 9);
  }
}

}  // namespace
}  // namespace quaver
