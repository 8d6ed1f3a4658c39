// Tests of the response cache: what is found, kept, evicted, never mistaken.
#include "quaver/sched/response_cache.h"

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/sched/servable_fixture.h"

namespace quaver {
namespace {

using testing::ElementsAre;

Tensors Ask(int value) { return {Numbers("X", {1}, {value})}; }

class ResponseCacheTest : public testing::Test {
 protected:
  // X -> X; asked for a negative number it fails.
  std::shared_ptr<Servable> Echo() {
    return std::make_shared<FunctionServable>(
        std::vector<TensorSpec>{}, std::vector<TensorSpec>{},
        [this](const Tensors& request, const CallOptions&,
               CallTimes* times) -> absl::StatusOr<Tensors> {
          ++num_computed_;
          clock_.AdvanceUs(100);
          if (times != nullptr) times->compute_us += 100;
          if (request[0].datatype == Datatype::kInt32 &&
              ValuesOf(request[0])[0] < 0) {
            return absl::CancelledError("below 0");
          }
          return request;
        });
  }
  std::unique_ptr<CachingServable> Cached(const std::string& model = "echo",
                                          int64_t version = 1) {
    return std::make_unique<CachingServable>(
        Echo(), CachingServable::Name{model, version}, cache_, clock_);
  }
  // What an entry of Ask(i) is charged with.
  static size_t EntryBytes() {
    ResponseCache cache(1 << 20);
    CachingServable servable(
        std::make_shared<FunctionServable>(
            std::vector<TensorSpec>{}, std::vector<TensorSpec>{},
            [](const Tensors& request, const CallOptions&, CallTimes*) {
              return request;
            }),
        {"echo", 1}, cache);
    EXPECT_TRUE(servable.Infer(Ask(1)).ok());
    return cache.num_bytes();
  }

  FakeClock clock_;
  ResponseCache cache_{1 << 20};
  std::atomic<int> num_computed_ = 0;
};

TEST_F(ResponseCacheTest, AnswersTheSecondTimeFromThePool) {
  const auto model = Cached();
  CallTimes first;
  CallTimes second;
  ASSERT_TRUE(model->Infer(Ask(7), {}, &first).ok());
  const auto answer = model->Infer(Ask(7), {}, &second);
  ASSERT_TRUE(answer.ok());
  EXPECT_THAT(ValuesOf(answer->at(0)), ElementsAre(7));
  EXPECT_EQ(num_computed_, 1);
  EXPECT_FALSE(first.from_cache);
  EXPECT_EQ(first.compute_us, 100);
  EXPECT_TRUE(second.from_cache);
  EXPECT_EQ(second.compute_us, 0);
  const CacheStatistics counts = *model->counts().cache;
  EXPECT_EQ(counts.num_hits, 1u);
  EXPECT_EQ(counts.num_misses, 1u);
  EXPECT_EQ(counts.miss_us, 0);  // the model's time is not the cache's
  EXPECT_EQ(counts.num_entries, 1u);
  EXPECT_EQ(counts.num_bytes, cache_.num_bytes());
  EXPECT_GT(counts.num_bytes, ResponseCache::kEntryOverhead);
}

TEST_F(ResponseCacheTest, ARequestIsAllOfIt) {
  const auto model = Cached();
  Tensor other_type = Numbers("X", {1}, {1});
  other_type.datatype = Datatype::kFp32;
  const std::vector<std::pair<Tensors, CallOptions>> requests = {
      {Ask(1), {}},
      {Ask(2), {}},
      {{Numbers("Y", {1}, {1})}, {}},
      {{Numbers("X", {1, 1}, {1})}, {}},
      {{other_type}, {}},
      {{Numbers("X", {1}, {1}), Numbers("Y", {1}, {1})}, {}},
      {Ask(1), {.parameters = "{}"}},
      {{Texts("X", {2}, {"ab", "c"})}, {}},
      {{Texts("X", {2}, {"a", "bc"})}, {}},
      {{Texts("X", {1}, {"abc"})}, {}},
      {{Texts("X", {0}, {})}, {}}};
  for (int round = 0; round < 2; ++round) {
    for (const auto& [request, options] : requests) {
      ASSERT_TRUE(model->Infer(request, options, nullptr).ok());
    }
    EXPECT_EQ(num_computed_, static_cast<int>(requests.size()));
  }
}

TEST_F(ResponseCacheTest, OrderPriorityAndIdAreNotPartOfARequest) {
  const auto model = Cached();
  const Tensor x = Numbers("X", {1}, {1});
  const Tensor y = Numbers("Y", {1}, {2});
  ASSERT_TRUE(model->Infer({x, y}).ok());
  ASSERT_TRUE(
      model->Infer({y, x}, {.priority = 1, .request_id = "7"}, nullptr).ok());
  EXPECT_EQ(num_computed_, 1);
}

TEST_F(ResponseCacheTest, RenewForgetsAnswersAndKeepsCounts) {
  ResponseCache small(EntryBytes());
  CachingServable model(Echo(), {"echo", 1}, small, clock_);
  for (const int value : {1, 2, 2}) {
    ASSERT_TRUE(model.Infer(Ask(value)).ok());
  }
  model.Renew();
  EXPECT_EQ(small.num_bytes(), 0u);
  ASSERT_TRUE(model.Infer(Ask(2)).ok());
  EXPECT_EQ(num_computed_, 3);
  const CacheStatistics counts = *model.counts().cache;
  EXPECT_EQ(counts.num_hits, 1u);
  EXPECT_EQ(counts.num_misses, 3u);
  EXPECT_EQ(counts.num_evictions, 1u);
  EXPECT_EQ(counts.num_entries, 1u);
}

TEST_F(ResponseCacheTest, WhatBeganBeforeRenewIsNotKept) {
  CachingServable* model = nullptr;
  int version = 1;
  const auto changes = std::make_shared<FunctionServable>(
      std::vector<TensorSpec>{}, std::vector<TensorSpec>{},
      [&](const Tensors&, const CallOptions&, CallTimes*) {
        Tensors answer = Ask(version);
        if (version == 1) {
          version = 2;
          model->Renew();
        }
        return answer;
      });
  CachingServable cached(changes, {"changes", 1}, cache_, clock_);
  model = &cached;
  EXPECT_THAT(ValuesOf(cached.Infer(Ask(0))->at(0)), ElementsAre(1));
  EXPECT_THAT(ValuesOf(cached.Infer(Ask(0))->at(0)), ElementsAre(2));
}

TEST_F(ResponseCacheTest, WhatAnotherCallComputedIsNotKept) {
  int num_asked = 0;
  const auto follower = std::make_shared<FunctionServable>(
      std::vector<TensorSpec>{}, std::vector<TensorSpec>{},
      [&](const Tensors& request, const CallOptions&, CallTimes* times) {
        times->from_cache = ++num_asked == 1;
        return request;
      });
  CachingServable cached(follower, {"follower", 1}, cache_, clock_);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(cached.Infer(Ask(0)).ok());
  EXPECT_EQ(num_asked, 2);
}

TEST_F(ResponseCacheTest, ModelsVersionsAndGenerationsAreApart) {
  const auto model = Cached("echo", 1);
  ASSERT_TRUE(model->Infer(Ask(1)).ok());
  const auto version = Cached("echo", 2);
  ASSERT_TRUE(version->Infer(Ask(1)).ok());
  const auto other = Cached("other", 1);
  ASSERT_TRUE(other->Infer(Ask(1)).ok());
  const auto reloaded = Cached("echo", 1);
  ASSERT_TRUE(reloaded->Infer(Ask(1)).ok());
  EXPECT_EQ(num_computed_, 4);
  EXPECT_EQ(reloaded->counts().cache->num_hits, 0u);
}

TEST_F(ResponseCacheTest, WhatIsUnloadedLeavesThePool) {
  auto model = Cached();
  const auto other = Cached("other");
  ASSERT_TRUE(model->Infer(Ask(1)).ok());
  ASSERT_TRUE(model->Infer(Ask(2)).ok());
  ASSERT_TRUE(other->Infer(Ask(1)).ok());
  model.reset();
  EXPECT_EQ(cache_.num_bytes(), other->counts().cache->num_bytes);
  EXPECT_EQ(other->counts().cache->num_entries, 1u);
  // A call that was on its way stores nothing any more.
  const uint64_t generation = cache_.AddGeneration();
  cache_.RemoveGeneration(generation);
  cache_.Insert(generation, "key", std::make_shared<const Tensors>());
  EXPECT_EQ(cache_.Find(generation, "key"), nullptr);
  EXPECT_EQ(cache_.num_bytes(), other->counts().cache->num_bytes);
}

TEST_F(ResponseCacheTest, WhatWasNotAskedForLongestGoesFirst) {
  const size_t entry_bytes = EntryBytes();
  ResponseCache cache(3 * entry_bytes + entry_bytes / 2);
  CachingServable model(Echo(), {"echo", 1}, cache);
  for (const int value : {1, 2, 3}) ASSERT_TRUE(model.Infer(Ask(value)).ok());
  EXPECT_EQ(cache.num_bytes(), 3 * entry_bytes);
  ASSERT_TRUE(model.Infer(Ask(1)).ok());  // now 2 is the oldest
  ASSERT_TRUE(model.Infer(Ask(4)).ok());
  EXPECT_EQ(num_computed_, 4);
  EXPECT_EQ(cache.num_bytes(), 3 * entry_bytes);
  for (const int value : {1, 3, 4}) ASSERT_TRUE(model.Infer(Ask(value)).ok());
  EXPECT_EQ(num_computed_, 4);
  ASSERT_TRUE(model.Infer(Ask(2)).ok());
  EXPECT_EQ(num_computed_, 5);
  const CacheStatistics counts = *model.counts().cache;
  EXPECT_EQ(counts.num_evictions, 2u);
  EXPECT_EQ(counts.num_entries, 3u);
  EXPECT_EQ(counts.num_hits, 4u);
  EXPECT_EQ(counts.num_misses, 5u);
}

TEST_F(ResponseCacheTest, AModelMayEvictAnothersEntries) {
  ResponseCache cache(2 * EntryBytes() + EntryBytes() / 2);
  CachingServable first(Echo(), {"one", 1}, cache);
  CachingServable second(Echo(), {"two", 1}, cache);
  ASSERT_TRUE(first.Infer(Ask(1)).ok());
  ASSERT_TRUE(second.Infer(Ask(1)).ok());
  ASSERT_TRUE(second.Infer(Ask(2)).ok());
  EXPECT_EQ(first.counts().cache->num_evictions, 1u);
  EXPECT_EQ(first.counts().cache->num_entries, 0u);
  EXPECT_EQ(second.counts().cache->num_entries, 2u);
}

TEST_F(ResponseCacheTest, WhatIsLargerThanThePoolIsNotStored) {
  ResponseCache cache(EntryBytes() + 100);
  CachingServable model(Echo(), {"echo", 1}, cache);
  ASSERT_TRUE(model.Infer(Ask(1)).ok());
  const size_t before = cache.num_bytes();
  ASSERT_TRUE(model.Infer({Texts("X", {1}, {std::string(1000, 'x')})}).ok());
  EXPECT_EQ(cache.num_bytes(), before);
  ASSERT_TRUE(model.Infer(Ask(1)).ok());  // and drives nothing out
  EXPECT_EQ(num_computed_, 2);
}

TEST_F(ResponseCacheTest, ErrorsAreNotStored) {
  const auto model = Cached();
  EXPECT_FALSE(model->Infer(Ask(-1)).ok());
  EXPECT_FALSE(model->Infer(Ask(-1)).ok());
  EXPECT_EQ(num_computed_, 2);
  EXPECT_EQ(model->counts().cache->num_entries, 0u);
  EXPECT_EQ(model->counts().cache->num_misses, 2u);
}

TEST_F(ResponseCacheTest, WhatNobodyWantsIsNotLookedUp) {
  const auto model = Cached();
  ASSERT_TRUE(model->Infer(Ask(1)).ok());
  const std::atomic<bool> cancelled = true;
  EXPECT_TRUE(absl::IsCancelled(
      model->Infer(Ask(1), {.cancelled = &cancelled}, nullptr).status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      model->Infer(Ask(1), {.deadline_us = clock_.NowUs()}, nullptr).status()));
  EXPECT_EQ(model->counts().cache->num_hits, 0u);
}

TEST_F(ResponseCacheTest, ManyThreadsShareASmallPool) {
  ResponseCache cache(5 * EntryBytes());
  constexpr int kThreads = 6;
  constexpr int kRounds = 300;
  std::atomic<int> wrong = 0;
  {
    CachingServable first(Echo(), {"one", 1}, cache, clock_);
    CachingServable second(Echo(), {"two", 1}, cache, clock_);
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < kRounds; ++round) {
          const int value = (i * round) % 8;
          const auto answer = (i % 2 == 0 ? first : second).Infer(Ask(value));
          if (!answer.ok() || ValuesOf(answer->at(0))[0] != value) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    const CacheStatistics one = *first.counts().cache;
    const CacheStatistics two = *second.counts().cache;
    EXPECT_EQ(one.num_hits + one.num_misses + two.num_hits + two.num_misses,
              static_cast<uint64_t>(kThreads * kRounds));
    EXPECT_EQ(one.num_misses + two.num_misses,
              static_cast<uint64_t>(num_computed_.load()));
    EXPECT_EQ(one.num_bytes + two.num_bytes, cache.num_bytes());
    EXPECT_LE(cache.num_bytes(), cache.max_bytes());
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(cache.num_bytes(), 0u);
}

}  // namespace
}  // namespace quaver
