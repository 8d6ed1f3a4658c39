// A batch queue at a moment of a test's choice, with items to put in.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/sched/internal/batch_queue.h"

namespace quaver {

// A queue at a moment, and items that live as long.
class BatchQueueTest : public testing::Test {
 protected:
  void Make(const BatcherConfig& config) {
    ASSERT_TRUE(CheckBatcherConfig(config).ok()) << CheckBatcherConfig(config);
    queue_ = std::make_unique<BatchQueue>(config);
  }

  QueuedItem* Item(int64_t tokens, CallOptions options = {}, int size = 1) {
    items_.push_back({.size = size, .tokens = tokens, .options = options});
    return &queued_.emplace_back(&items_.back());
  }

  QueuedItem* Add(int64_t tokens, CallOptions options = {}, int size = 1) {
    QueuedItem* item = Item(tokens, options, size);
    const absl::Status status = queue_->Add(*item, now_us_);
    EXPECT_TRUE(status.ok()) << status;
    return item;
  }

  QueuedItem* AddOfKind(const char* kind) {
    QueuedItem* item = Item(10);
    item->item->kind = kind;
    const absl::Status status = queue_->Add(*item, now_us_);
    EXPECT_TRUE(status.ok()) << status;
    return item;
  }

  absl::Status Refusal(int64_t tokens, CallOptions options = {}, int size = 1) {
    return queue_->Add(*Item(tokens, options, size), now_us_);
  }

  Decision Next(int num_idle = 1) { return queue_->Next(now_us_, num_idle); }

  // Expects that a batch waits, and returns until when.
  int64_t WaitsUntil(int num_idle = 1) {
    const Decision next = Next(num_idle);
    EXPECT_THAT(next.batch, testing::IsEmpty()) << Name(next.reason);
    return next.ask_again_us;
  }

  // Batches of 10 and 30 tokens that took fixed_us + us_a_token x.
  void Measure(int64_t fixed_us, int64_t us_a_token) {
    for (int i = 0; i < 400; ++i) {
      const int64_t tokens = i % 2 == 0 ? 10 : 30;
      queue_->Computed(tokens, fixed_us + us_a_token * tokens);
    }
  }

  // Items of 10 tokens that came every gap_us and were taken one by one.
  void Arrive(int64_t gap_us) {
    for (int i = 0; i < 200; ++i) {
      now_us_ += gap_us;
      Add(10);
      while (!queue_->empty()) Next(/*num_idle=*/2);
    }
  }

  int64_t now_us_ = 1'000'000;
  std::unique_ptr<BatchQueue> queue_;

 private:
  std::deque<BatchItem> items_;
  std::deque<QueuedItem> queued_;
};

}  // namespace quaver
