// Tests of searching ahead: idle cores alone are taken.
#include "quaver/search/internal/meaning.h"

#include <gtest/gtest.h>

#include "quaver/base/workers.h"

namespace quaver {
namespace {

TEST(SearchingThreadsTest, TakesNoMoreThanThereAreCores) {
  SearchingThreads threads;
  for (int i = 0; i < AvailableCores(); ++i) EXPECT_TRUE(threads.TryAdd());
  EXPECT_FALSE(threads.TryAdd());
  EXPECT_FALSE(threads.TryAdd());
  threads.Remove();
  EXPECT_TRUE(threads.TryAdd());
}

TEST(SearchingThreadsTest, SearchesThemselvesAreNotLimited) {
  SearchingThreads threads;
  for (int i = 0; i < AvailableCores() + 1; ++i) threads.Add();
  EXPECT_FALSE(threads.TryAdd());
  for (int i = 0; i < 2; ++i) threads.Remove();
  EXPECT_TRUE(threads.TryAdd());
}

TEST(MeaningAheadTest, WithoutAnEncoderThereIsNoMeaning) {
  SearchingThreads threads;
  const Snapshot snapshot;
  const Filter filter;
  const std::vector<EntityType> types;
  const CallOptions call;
  MeaningAhead ahead(threads, nullptr, snapshot, filter, types, call);
  ahead.Begin(PrepareQuery("hey jude"));
  const auto meaning = ahead.Take(PrepareQuery("hey jude"));
  ASSERT_TRUE(meaning.ok()) << meaning.status();
  EXPECT_TRUE(meaning->embedding.empty());
}

}  // namespace
}  // namespace quaver
