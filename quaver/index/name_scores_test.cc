// Scores of names by n-grams against their definition.
#include "quaver/index/name_scores.h"

#include <cmath>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/index/segment.h"

namespace quaver {
namespace {

// So many that frequent n-grams become bitmaps and rare ones stay lists.
std::shared_ptr<const Segment> ManyNames() {
  SegmentBuilder builder({.dimension = 0, .vectors = {}});
  Random random(5);
  for (int i = 0; i < 700; ++i) {
    Document document{.id = std::to_string(i)};
    const size_t letters = 3 + random.Below(12);
    for (size_t k = 0; k < letters; ++k) {
      // Squared, so that some letters are much more frequent than others.
      const double share = random.Uniform();
      document.title +=
          static_cast<char>('a' + static_cast<int>(26 * share * share));
    }
    EXPECT_TRUE(builder.Add(std::move(document)).ok());
  }
  auto artifact = Artifact::FromBytes(builder.Finish().value().Serialize(),
                                      kSegmentFormat, kSegmentVersion);
  return Segment::FromArtifact(*artifact, BestKernels()).value();
}

std::vector<Gram> GramsOf(const std::string& text) {
  std::vector<Gram> grams;
  ExtractGrams(text, grams);
  return grams;
}

// The sum of squared weights that a name shares with n-grams.
float Shared(const LexicalIndex& lexical, uint32_t name,
             const std::vector<Gram>& grams) {
  float sum = 0;
  for (const Gram gram : GramsOf(std::string(lexical.name(name)))) {
    if (!std::binary_search(grams.begin(), grams.end(), gram)) continue;
    const size_t count = lexical.gram_names(*lexical.FindGram(gram)).size();
    sum += lexical.GramIdf(count) * lexical.GramIdf(count);
  }
  return sum;
}

TEST(NameScoresTest, EveryNameHasItsSum) {
  const auto segment = ManyNames();
  const LexicalIndex& lexical = segment->lexical();
  NameScoreArrays arrays;
  int bitmaps = 0, lists = 0;
  for (const char* query : {"abacad", "zebra", "aaaa bbbb", "q"}) {
    const std::vector<Gram> grams = GramsOf(query);
    for (const Gram gram : grams) {
      const auto found = lexical.FindGram(gram);
      if (found) ++(lexical.gram_bitmap(*found) ? bitmaps : lists);
    }
    const NameScores scores(lexical, grams, {}, arrays);
    const float all = scores.norm() * scores.norm();
    for (uint32_t name = 0; name < lexical.num_names(); ++name) {
      // Each n-gram is rounded to 1/60,000 of the whole.
      EXPECT_NEAR(scores.sum(name), Shared(lexical, name, grams),
                  all * static_cast<float>(grams.size()) / 60'000);
    }
  }
  EXPECT_GT(bitmaps, 0);
  EXPECT_GT(lists, 0);
}

TEST(NameScoresTest, TheBestAreKept) {
  const auto segment = ManyNames();
  const LexicalIndex& lexical = segment->lexical();
  NameScoreArrays arrays;
  const std::string query(lexical.name(123));
  NameScores scores(lexical, GramsOf(query), {}, arrays);
  const auto value = [&](uint32_t name) {
    return scores.sum(name) / std::sqrt(lexical.gram_norm(name));
  };
  const auto best = scores.Best(20);
  ASSERT_FALSE(best.empty());
  EXPECT_LE(best.size(), 40u);
  EXPECT_THAT(best, testing::Contains(123));
  float least = INFINITY;
  for (const uint32_t name : best) least = std::min(least, value(name));
  for (uint32_t name = 0; name < lexical.num_names(); ++name) {
    const bool kept = std::find(best.begin(), best.end(), name) != best.end();
    if (!kept) {
      EXPECT_LE(value(name), least * 1.01f) << name;
    }
  }
}

TEST(NameScoresTest, GuessesCountInSumsOnly) {
  const auto segment = ManyNames();
  const LexicalIndex& lexical = segment->lexical();
  NameScoreArrays first, second;
  const auto grams = GramsOf("zzz"), guesses = GramsOf("abc");
  const NameScores plain(lexical, grams, {}, first);
  const NameScores guessed(lexical, grams, guesses, second);
  EXPECT_EQ(plain.norm(), guessed.norm());
  bool more = false;
  for (uint32_t name = 0; name < lexical.num_names(); ++name) {
    more |= guessed.sum(name) > plain.sum(name) + 1;
  }
  EXPECT_TRUE(more);
}

TEST(NameScoresTest, NothingInCommonFindsNothing) {
  const auto segment = ManyNames();
  NameScoreArrays arrays;
  NameScores none(segment->lexical(), {}, {}, arrays);
  EXPECT_EQ(none.norm(), 0);
  EXPECT_TRUE(none.Best(10).empty());
  NameScores foreign(segment->lexical(), GramsOf("久石譲"), {}, arrays);
  EXPECT_GT(foreign.norm(), 0);
  EXPECT_TRUE(foreign.Best(10).empty());
}

}  // namespace
}  // namespace quaver
