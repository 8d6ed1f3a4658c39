// Tests of the batcher's law: which items form a batch, when, and why.
#include "quaver/sched/internal/batch_queue.h"

#include <atomic>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/sched/batch_queue_fixture.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(BatchQueueTest, TakesWhatIsThereAtOnceWithoutADelay) {
  Make({});
  EXPECT_THAT(Next().batch, IsEmpty());
  QueuedItem* first = Add(10);
  QueuedItem* second = Add(20);
  EXPECT_EQ(queue_->size(), 2u);
  EXPECT_EQ(queue_->front(), first);
  const Decision next = Next();
  EXPECT_THAT(next.batch, ElementsAre(first, second));
  EXPECT_EQ(next.reason, CloseReason::kDelay);
  EXPECT_TRUE(queue_->empty());
  EXPECT_FALSE(first->queued);
}

TEST_F(BatchQueueTest, ClosesFullBatches) {
  Make({.max_batch_size = 4, .batching = {.max_queue_delay_us = 1000}});
  QueuedItem* first = Add(1, {}, /*size=*/2);
  EXPECT_EQ(WaitsUntil(), now_us_ + 1000);
  QueuedItem* second = Add(1, {}, /*size=*/3);  // does not fit
  Decision next = Next();
  EXPECT_THAT(next.batch, ElementsAre(first));
  EXPECT_EQ(next.reason, CloseReason::kFull);
  QueuedItem* third = Add(1);  // fits exactly
  next = Next();
  EXPECT_THAT(next.batch, ElementsAre(second, third));
  EXPECT_EQ(next.reason, CloseReason::kFull);
}

TEST_F(BatchQueueTest, KeepsTheTokenBudget) {
  Make({.max_batch_tokens = 100, .batching = {.max_queue_delay_us = 1000}});
  QueuedItem* first = Add(60);
  WaitsUntil();
  QueuedItem* second = Add(41);
  QueuedItem* third = Add(1);  // would fit, but came later
  Decision next = Next();
  EXPECT_THAT(next.batch, ElementsAre(first));
  EXPECT_EQ(next.reason, CloseReason::kTokenBudget);
  WaitsUntil();
  QueuedItem* fourth = Add(58);
  next = Next();
  EXPECT_THAT(next.batch, ElementsAre(second, third, fourth));
  EXPECT_EQ(next.reason, CloseReason::kTokenBudget);
}

TEST_F(BatchQueueTest, WaitsForTheDelayOfTheOldest) {
  Make({.batching = {.max_queue_delay_us = 1000}});
  QueuedItem* first = Add(10);
  const int64_t due_us = now_us_ + 1000;
  now_us_ += 900;
  QueuedItem* second = Add(10);
  EXPECT_EQ(WaitsUntil(), due_us);
  now_us_ = due_us;
  const Decision next = Next();
  EXPECT_THAT(next.batch, ElementsAre(first, second));
  EXPECT_EQ(next.reason, CloseReason::kDelay);
}

TEST_F(BatchQueueTest, AnEndlessDelayDoesNotOverflow) {
  Make({.batching = {.max_queue_delay_us = kNever}});
  Add(10);
  EXPECT_EQ(WaitsUntil(), kNever);
}

TEST_F(BatchQueueTest, TakesTheLongestPreferredSize) {
  Make({.max_batch_size = 8,
        .batching = {.preferred_batch_sizes = {2, 4},
                     .max_queue_delay_us = 1000}});
  std::vector<QueuedItem*> items = {Add(1)};
  EXPECT_EQ(WaitsUntil(), now_us_ + 1000);
  for (int i = 0; i < 4; ++i) items.push_back(Add(1));
  Decision next = Next();
  EXPECT_THAT(next.batch, ElementsAre(items[0], items[1], items[2], items[3]));
  EXPECT_EQ(next.reason, CloseReason::kPreferredSize);
  WaitsUntil();
  // Once the delay is over, sizes do not matter.
  Add(1);
  Add(1);
  now_us_ += 1000;
  next = Next();
  EXPECT_EQ(next.batch.size(), 3u);
  EXPECT_EQ(next.reason, CloseReason::kDelay);
}

TEST_F(BatchQueueTest, GoesBeyondThePreferredSizesRatherThanWaits) {
  Make(
      {.max_batch_size = 8,
       .batching = {.preferred_batch_sizes = {4}, .max_queue_delay_us = 1000}});
  Add(1, {}, 3);
  WaitsUntil();
  Add(1, {}, 3);
  const Decision next = Next();
  EXPECT_EQ(next.batch.size(), 2u);
  EXPECT_EQ(next.reason, CloseReason::kPreferredSize);
}

TEST_F(BatchQueueTest, PrefersSizesWithoutADelay) {
  Make({.batching = {.preferred_batch_sizes = {2}}});
  for (int i = 0; i < 3; ++i) Add(1);
  EXPECT_EQ(Next().batch.size(), 2u);
  const Decision rest = Next();
  EXPECT_EQ(rest.batch.size(), 1u);
  EXPECT_EQ(rest.reason, CloseReason::kDelay);
}

TEST_F(BatchQueueTest, ServesPrioritiesInOrder) {
  Make({.max_batch_size = 2,
        .batching = {.priority_levels = 3, .default_priority_level = 2}});
  QueuedItem* low = Add(1, {.priority = 3});
  QueuedItem* usual = Add(1);
  QueuedItem* unknown = Add(1, {.priority = 9});  // the default, too
  QueuedItem* high = Add(1, {.priority = 1});
  EXPECT_EQ(queue_->front(), high);
  EXPECT_THAT(Next().batch, ElementsAre(high, usual));
  EXPECT_THAT(Next().batch, ElementsAre(unknown, low));
}

TEST_F(BatchQueueTest, RefusesWhenALevelIsFull) {
  DynamicBatching batching = {.priority_levels = 2,
                              .default_priority_level = 1};
  batching.default_queue_policy.max_queue_size = 2;
  batching.priority_queue_policies[2].max_queue_size = 1;
  Make({.batching = batching});
  Add(1);
  Add(1);
  const absl::Status full = Refusal(1);
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(full), HasSubstr("Exceeds maximum queue size of 2"));
  Add(1, {.priority = 2});
  EXPECT_THAT(Message(Refusal(1, {.priority = 2})),
              HasSubstr("Exceeds maximum queue size of 1"));
  EXPECT_EQ(queue_->size(), 3u);
  Next();
  Add(1);
}

TEST_F(BatchQueueTest, DelayedItemsCountForTheirLevel) {
  DynamicBatching batching = {.max_queue_delay_us = 100'000};
  batching.default_queue_policy = {
      .timeout_action = QueuePolicy::TimeoutAction::kDelay,
      .default_timeout_us = 5000,
      .max_queue_size = 1};
  Make({.batching = batching});
  Add(1);
  now_us_ += 5000;
  EXPECT_THAT(queue_->Sweep(now_us_), IsEmpty());
  EXPECT_EQ(Refusal(1).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(BatchQueueTest, AQueueWithoutBoundTakesAll) {
  DynamicBatching batching;
  batching.default_queue_policy.max_queue_size = 0;
  Make({.batching = batching});
  for (int i = 0; i < 3000; ++i) Add(1);
  EXPECT_EQ(Next().batch.size(), 3000u);
}

TEST_F(BatchQueueTest, RefusesWhatNoBatchHolds) {
  Make({.max_batch_size = 4, .max_batch_tokens = 100});
  EXPECT_THAT(Message(Refusal(1, {}, 5)),
              HasSubstr("a request of 5 rows and 1 tokens; a batch has at most "
                        "4 and 100"));
  EXPECT_EQ(Refusal(101).code(), absl::StatusCode::kInvalidArgument);
  Add(100, {}, 4);
}

TEST_F(BatchQueueTest, RejectsAfterTheTimeout) {
  DynamicBatching batching;
  batching.default_queue_policy.default_timeout_us = 5000;
  Make({.batching = batching});
  QueuedItem* first = Add(1, {.timeout_us = 10});  // may not override
  now_us_ += 1000;
  QueuedItem* second = Add(1);
  EXPECT_EQ(queue_->ExpiryUs(*first), now_us_ + 4000);
  now_us_ += 3999;
  EXPECT_THAT(queue_->Sweep(now_us_), IsEmpty());
  now_us_ += 1;
  const Decision next = Next();
  EXPECT_THAT(next.dropped, ElementsAre(first));
  EXPECT_THAT(next.batch, ElementsAre(second));
  EXPECT_EQ(first->item->status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Message(first->item->status), HasSubstr("timeout expired"));
}

TEST_F(BatchQueueTest, AnItemMayShortenTheTimeoutOnly) {
  DynamicBatching batching;
  batching.default_queue_policy = {.default_timeout_us = 5000,
                                   .allow_timeout_override = true};
  Make({.batching = batching});
  EXPECT_EQ(queue_->ExpiryUs(*Add(1)), now_us_ + 5000);
  EXPECT_EQ(queue_->ExpiryUs(*Add(1, {.timeout_us = 10})), now_us_ + 10);
  EXPECT_EQ(queue_->ExpiryUs(*Add(1, {.timeout_us = 9000})), now_us_ + 5000);
  batching.default_queue_policy.default_timeout_us = 0;  // none
  Make({.batching = batching});
  EXPECT_EQ(queue_->ExpiryUs(*Add(1)), kNever);
  EXPECT_EQ(queue_->ExpiryUs(*Add(1, {.timeout_us = 9000})), now_us_ + 9000);
}

TEST_F(BatchQueueTest, DelaysAfterTheTimeout) {
  DynamicBatching batching = {.priority_levels = 2,
                              .default_priority_level = 1};
  batching.default_queue_policy = {
      .timeout_action = QueuePolicy::TimeoutAction::kDelay,
      .default_timeout_us = 5000};
  Make({.max_batch_size = 1, .batching = batching});
  QueuedItem* first = Add(1);
  QueuedItem* low = Add(1, {.priority = 2});
  now_us_ += 5000;
  QueuedItem* second = Add(1);
  EXPECT_THAT(Next().batch, ElementsAre(second));
  EXPECT_THAT(Next().batch, ElementsAre(first));  // of a higher level
  EXPECT_THAT(Next().batch, ElementsAre(low));
}

TEST_F(BatchQueueTest, DropsTheCancelled) {
  Make({});
  std::atomic<bool> cancelled = false;
  QueuedItem* first = Add(1, {.cancelled = &cancelled});
  QueuedItem* second = Add(1);
  cancelled = true;
  const Decision next = Next();
  EXPECT_THAT(next.dropped, ElementsAre(first));
  EXPECT_EQ(first->item->status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(next.batch, ElementsAre(second));
  EXPECT_EQ(Refusal(1, {.cancelled = &cancelled}).code(),
            absl::StatusCode::kCancelled);
}

TEST_F(BatchQueueTest, DropsWhatPassedItsDeadline) {
  Make({});
  QueuedItem* item = Add(1, {.deadline_us = now_us_ + 100});
  now_us_ += 99;
  EXPECT_THAT(queue_->Sweep(now_us_), IsEmpty());
  now_us_ += 1;
  EXPECT_THAT(queue_->Sweep(now_us_), ElementsAre(item));
  EXPECT_EQ(Refusal(1, {.deadline_us = now_us_}).code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST_F(BatchQueueTest, HurriesForADeadline) {
  Make({.batching = {.max_queue_delay_us = 100'000}});
  Measure(/*fixed_us=*/2000, /*us_a_token=*/100);  // 3 ms for 10 tokens
  const int64_t deadline_us = now_us_ + 50'000;
  QueuedItem* item = Add(10, {.deadline_us = deadline_us});
  EXPECT_EQ(WaitsUntil(), deadline_us - 2 * 3000 - 1000);
  now_us_ = deadline_us - 2 * 3000 - 1000;
  const Decision next = Next();
  EXPECT_THAT(next.batch, ElementsAre(item));
  EXPECT_EQ(next.reason, CloseReason::kDeadline);
}

TEST_F(BatchQueueTest, HurriesForATimeout) {
  DynamicBatching batching = {.max_queue_delay_us = 100'000};
  batching.default_queue_policy.default_timeout_us = 20'000;
  Make({.batching = batching});
  Add(10);
  EXPECT_EQ(WaitsUntil(), now_us_ + 19'000);
  now_us_ += 19'000;
  EXPECT_EQ(Next().reason, CloseReason::kDeadline);
}

TEST_F(BatchQueueTest, DropsWhatWouldBeDoneTooLate) {
  Make({.max_batch_tokens = 20});
  Measure(2000, 100);  // 4 ms for 20 tokens
  QueuedItem* late = Add(10, {.deadline_us = now_us_ + 3999});
  QueuedItem* early = Add(10, {.deadline_us = now_us_ + 4000});
  QueuedItem* patient = Add(10);
  const Decision next = Next();
  EXPECT_THAT(next.dropped, ElementsAre(late));
  EXPECT_EQ(late->item->status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(next.batch, ElementsAre(early, patient));
}

TEST_F(BatchQueueTest, TheLastOneProvesTheEstimateWrong) {
  Make({});
  Measure(2000, 100);
  QueuedItem* first = Add(10, {.deadline_us = now_us_ + 10});
  QueuedItem* last = Add(10, {.deadline_us = now_us_ + 10});
  const Decision next = Next();
  EXPECT_THAT(next.dropped, ElementsAre(first));
  EXPECT_THAT(next.batch, ElementsAre(last));
}

// Work offered twice as fast as it can be done, wanted within 20 ms: as much
// of it is done in time as can be.
TEST_F(BatchQueueTest, GoodputStandsUnderOverload) {
  Make({.max_batch_size = 8});
  int64_t good = 0;
  int64_t done_us = now_us_;
  const int64_t begin_us = now_us_;
  for (int i = 0; i < 20'000; ++i) {
    now_us_ += 250;  // 4,000 items a second
    Add(10, {.deadline_us = now_us_ + 20'000});
    if (now_us_ < done_us) continue;
    const Decision next = Next();
    const int64_t compute_us = 500 * static_cast<int64_t>(next.batch.size());
    done_us = now_us_ + compute_us;  // 2,000 items a second
    queue_->Computed(10 * static_cast<int64_t>(next.batch.size()), compute_us);
    for (const QueuedItem* queued : next.batch) {
      good += queued->item->options.deadline_us >= done_us;
    }
  }
  const int64_t can_be_done = (now_us_ - begin_us) / 500;
  EXPECT_GT(good, can_be_done * 9 / 10);
}

TEST_F(BatchQueueTest, ABatchIsNoLargerThanItsItemsHaveTime) {
  Make({});
  Measure(2000, 100);
  std::vector<QueuedItem*> items;
  for (int i = 0; i < 4; ++i) {
    items.push_back(Add(10, {.deadline_us = now_us_ + 4500}));
  }
  // 4.5 ms are enough for 25 tokens.
  Decision next = Next();
  EXPECT_THAT(next.batch, ElementsAre(items[0], items[1]));
  EXPECT_EQ(next.reason, CloseReason::kDeadline);
  EXPECT_THAT(next.dropped, IsEmpty());
  now_us_ += 1500;  // now for one
  next = Next();
  EXPECT_THAT(next.batch, ElementsAre(items[2]));
  EXPECT_THAT(Next().batch, ElementsAre(items[3]));
}

TEST_F(BatchQueueTest, ABatchIsOfOneKind) {
  Make({.max_batch_size = 3});
  std::vector<QueuedItem*> items;
  for (const char* kind : {"a", "b", "a", "c", "b", "a", "a"}) {
    items.push_back(AddOfKind(kind));
  }
  const Decision next = Next();
  EXPECT_THAT(next.batch, ElementsAre(items[0], items[2], items[5]));
  EXPECT_EQ(next.reason, CloseReason::kFull);
  EXPECT_THAT(Next().batch, ElementsAre(items[1], items[4]));
  EXPECT_THAT(Next().batch, ElementsAre(items[3]));
  EXPECT_THAT(Next().batch, ElementsAre(items[6]));
  EXPECT_TRUE(queue_->empty());
}

TEST_F(BatchQueueTest, AKindThatWaitsHoldsNoOtherUp) {
  Make({.max_batch_size = 2, .batching = {.max_queue_delay_us = 1000}});
  QueuedItem* lone = AddOfKind("a");
  now_us_ += 100;
  QueuedItem* first = AddOfKind("b");
  EXPECT_EQ(WaitsUntil(), now_us_ + 900);
  QueuedItem* second = AddOfKind("b");
  EXPECT_THAT(Next().batch, ElementsAre(first, second));
  now_us_ += 900;
  const Decision next = Next();
  EXPECT_THAT(next.batch, ElementsAre(lone));
  EXPECT_EQ(next.reason, CloseReason::kDelay);
}

TEST_F(BatchQueueTest, WhereTheOrderCountsAnotherKindEndsABatch) {
  Make({.batching = {.max_queue_delay_us = 1000, .preserve_ordering = true}});
  std::vector<QueuedItem*> items;
  for (const char* kind : {"a", "a", "b", "a"}) {
    items.push_back(AddOfKind(kind));
  }
  const Decision next = Next();
  EXPECT_THAT(next.batch, ElementsAre(items[0], items[1]));
  EXPECT_EQ(next.reason, CloseReason::kOtherKind);
  EXPECT_THAT(Next().batch, ElementsAre(items[2]));
  WaitsUntil();
}

TEST_F(BatchQueueTest, StoppingWaitsForNothing) {
  Make({.batching = {.max_queue_delay_us = 1000}});
  QueuedItem* item = Add(1);
  WaitsUntil();
  queue_->Stop();
  const Decision next = Next();
  EXPECT_THAT(next.batch, ElementsAre(item));
  EXPECT_EQ(next.reason, CloseReason::kShutdown);
}

}  // namespace
}  // namespace quaver
