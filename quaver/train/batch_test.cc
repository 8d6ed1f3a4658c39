// Tests of batches: pairs behind one another, padding, parts.
#include "quaver/train/batch.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/train/fused.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int32_t kStart = 2;
constexpr int32_t kPad = 1;

Batch TwoPairs() {
  Batch batch;
  AddPair(std::vector<int32_t>{0, 10, 11, 2}, std::vector<int32_t>{12, 2},
          kStart, &batch);
  AddPair(std::vector<int32_t>{0, 2}, std::vector<int32_t>{20, 21, 2}, kStart,
          &batch);
  return batch;
}

Batch RandomBatch(int pairs, uint64_t longest, uint64_t seed) {
  Batch batch;
  Random random(seed);
  const auto text = [&] {
    std::vector<int32_t> ids(1 + random.Below(longest));
    for (int32_t& id : ids) id = static_cast<int32_t>(random.Below(1'000));
    return ids;
  };
  for (int i = 0; i < pairs; ++i) AddPair(text(), text(), kStart, &batch);
  return batch;
}

int64_t TokensOfPair(const Batch& batch, size_t pair) {
  return batch.source.offsets[pair + 1] - batch.source.offsets[pair] +
         batch.target.offsets[pair + 1] - batch.target.offsets[pair];
}

// What the parts hold, one after the other.
Batch Joined(const std::vector<Batch>& parts) {
  Batch joined;
  const auto add = [](const PackedTexts& from, PackedTexts* to) {
    for (size_t s = 0; s < from.texts(); ++s) {
      to->Add(std::span(from.ids).subspan(
          from.offsets[s], from.offsets[s + 1] - from.offsets[s]));
    }
  };
  for (const Batch& part : parts) {
    add(part.source, &joined.source);
    add(part.target, &joined.target);
    joined.labels.insert(joined.labels.end(), part.labels.begin(),
                         part.labels.end());
  }
  return joined;
}

void ExpectSame(const Batch& got, const Batch& want) {
  EXPECT_EQ(got.source.ids, want.source.ids);
  EXPECT_EQ(got.source.offsets, want.source.offsets);
  EXPECT_EQ(got.target.ids, want.target.ids);
  EXPECT_EQ(got.target.offsets, want.target.offsets);
  EXPECT_EQ(got.labels, want.labels);
}

TEST(BatchTest, TheDecoderReadsTheStartAndIsAskedForTheNextToken) {
  const Batch batch = TwoPairs();
  EXPECT_THAT(batch.source.ids, ElementsAre(0, 10, 11, 2, 0, 2));
  EXPECT_THAT(batch.source.offsets, ElementsAre(0, 4, 6));
  EXPECT_THAT(batch.target.ids, ElementsAre(kStart, 12, kStart, 20, 21));
  EXPECT_THAT(batch.target.offsets, ElementsAre(0, 2, 5));
  EXPECT_THAT(batch.labels, ElementsAre(12, 2, 20, 21, 2));
  EXPECT_THAT(batch.source.counts, IsEmpty());
  EXPECT_EQ(batch.source.texts(), 2u);
  EXPECT_EQ(batch.useful_tokens(), 11);
}

TEST(BatchTest, NothingHasNoTexts) {
  EXPECT_EQ(Batch().source.texts(), 0u);
  EXPECT_EQ(Batch().useful_tokens(), 0);
  EXPECT_THAT(SplitEvenly({}, 3), IsEmpty());
}

TEST(BatchTest, PaddingMakesTextsOfOneLengthAndDoesNotCount) {
  const Batch padded = WithPadding(TwoPairs(), kPad);
  EXPECT_THAT(padded.source.ids, ElementsAre(0, 10, 11, 2, 0, 2, kPad, kPad));
  EXPECT_THAT(padded.source.offsets, ElementsAre(0, 4, 8));
  EXPECT_THAT(padded.source.counts, ElementsAre(4, 2));
  EXPECT_THAT(padded.target.ids, ElementsAre(kStart, 12, kPad, kStart, 20, 21));
  EXPECT_THAT(padded.target.counts, ElementsAre(2, 3));
  EXPECT_THAT(padded.labels, ElementsAre(12, 2, kNoLabel, 20, 21, 2));
  EXPECT_EQ(padded.useful_tokens(), 11);
}

TEST(BatchTest, PartsAreConsecutiveAndAboutEven) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const int pairs = 1 + static_cast<int>(seed % 17);
    const Batch batch = RandomBatch(pairs, 1 + seed % 29, seed);
    int64_t longest = 0;
    for (int s = 0; s < pairs; ++s) {
      longest = std::max(longest, TokensOfPair(batch, s));
    }
    for (const int64_t wanted : {1, 2, 3, 8, 17, 40}) {
      const std::vector<Batch> parts = SplitEvenly(batch, wanted);
      ASSERT_EQ(parts.size(), std::min<size_t>(wanted, pairs));
      ExpectSame(Joined(parts), batch);
      const auto share =
          batch.useful_tokens() / static_cast<int64_t>(parts.size());
      for (const Batch& part : parts) {
        EXPECT_GE(part.source.texts(), 1u);
        EXPECT_EQ(part.source.texts(), part.target.texts());
        // A part is closed by the pair that fills it.
        EXPECT_LE(part.useful_tokens(), share + longest);
      }
    }
  }
}

TEST(BatchTest, PairsOfOneLengthAreSharedOutExactly) {
  Batch batch;
  for (int32_t i = 0; i < 12; ++i) {
    AddPair(std::vector<int32_t>{i, 2}, std::vector<int32_t>{i, 2}, kStart,
            &batch);
  }
  for (const Batch& part : SplitEvenly(batch, 4)) {
    EXPECT_EQ(part.source.texts(), 3u);
  }
}

}  // namespace
}  // namespace quaver
