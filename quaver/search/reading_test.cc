// Tests of what speaks for a reading.
#include "quaver/search/reading.h"

#include <cmath>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "quaver/search/reading_weights.h"

namespace quaver {
namespace {

float At(const ReadingFeatures& features, ReadingFeature feature) {
  return features[static_cast<size_t>(feature)];
}

ReadingFeatures Extract(const std::string& typed, const Reading& reading,
                        bool last_is_term = true,
                        Typed known = Typed::kUnknown) {
  const Query query = PrepareQuery(typed);
  return ExtractFeatures(query, std::vector<Typed>(query.words.size(), known),
                         last_is_term, reading);
}

TEST(ReadingTest, FeaturesHaveNames) {
  std::set<std::string_view> names;
  for (int i = 0; i < kNumReadingFeatures; ++i) {
    names.insert(Name(static_cast<ReadingFeature>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kNumReadingFeatures));
}

TEST(ReadingTest, EditsAreCountedALetterAndByThemselves) {
  const auto features = Extract("hay jued ", {.text = "hey jude"});
  EXPECT_FLOAT_EQ(At(features, ReadingFeature::kEdits), 2.0f / 8);
  EXPECT_FLOAT_EQ(At(features, ReadingFeature::kEditCount), 2.0f / 3);
  EXPECT_LT(At(features, ReadingFeature::kKeyCount), 2.0f / 3);  // a swap
  EXPECT_EQ(At(features, ReadingFeature::kTyped), 0);
  EXPECT_EQ(At(features, ReadingFeature::kNotFirst), 0);
  EXPECT_EQ(At(Extract("hot ", {.text = "not"}), ReadingFeature::kNotFirst), 1);
}

TEST(ReadingTest, LongTextsAreCutBetweenCharacters) {
  std::string text = "x";
  for (int i = 0; i < 40; ++i) text += "も";
  const auto features = Extract(text + "y ", {.text = text + "z"});
  EXPECT_EQ(At(features, ReadingFeature::kEditCount), 0);
}

TEST(ReadingTest, TheQueryItselfHasNoEdits) {
  Reading typed{.text = "hey jude", .typed = true};
  typed.proof.known = 0.5f;
  const auto features = Extract("hey jude", typed);
  EXPECT_EQ(At(features, ReadingFeature::kTyped), 1);
  EXPECT_EQ(At(features, ReadingFeature::kTypedKnown), 0.5f);
  EXPECT_EQ(At(features, ReadingFeature::kEdits), 0);
}

TEST(ReadingTest, SpacesAndKnownWords) {
  EXPECT_EQ(
      At(Extract("beatit ", {.text = "beat it"}), ReadingFeature::kSpaces), 1);
  EXPECT_EQ(At(Extract("hay jude ", {.text = "hey jude"}, true, Typed::kKnown),
               ReadingFeature::kRealWords),
            3.0f / 7);
}

TEST(ReadingTest, AWordIsFinishedByOneLetterOrMore) {
  const auto one = Extract("neil diamon", {.text = "neil diamond"});
  EXPECT_EQ(At(one, ReadingFeature::kOneMore), 1);
  EXPECT_EQ(At(one, ReadingFeature::kMore), 0);
  const auto two = Extract("neil diamo", {.text = "neil diamond"});
  EXPECT_EQ(At(two, ReadingFeature::kMore), 1);
  // Something was typed after it: nothing is finished.
  EXPECT_EQ(At(Extract("neil diamo ", {.text = "neil diamond"}),
               ReadingFeature::kMore),
            0);
}

// Of the open last word, the letters that mending alone does not ask for.
TEST(ReadingTest, WhatGoesBeyondMendingIsCounted) {
  const auto beyond = [](const std::string& typed, const std::string& text) {
    const auto features = Extract(typed, {.text = text}, false);
    return std::pair(At(features, ReadingFeature::kCompletes),
                     At(features, ReadingFeature::kOnlyCompletes));
  };
  EXPECT_EQ(beyond("new ruel", "new rule"), std::pair(0.0f, 0.0f));
  EXPECT_EQ(beyond("new ruel", "new rules"), std::pair(0.5f, 0.0f));
  EXPECT_EQ(beyond("lewe ann wom", "lee ann womack"), std::pair(1.5f, 0.0f));
  EXPECT_EQ(beyond("lee ann womac", "lee ann womack"), std::pair(0.5f, 1.0f));
  EXPECT_EQ(beyond("dead or al iv", "dead or alive"), std::pair(0.5f, 0.0f));
  EXPECT_EQ(beyond("take a boo", "take a bow"), std::pair(0.0f, 0.0f));
  // Something was typed after it: nothing is open.
  EXPECT_EQ(beyond("new ruel ", "new rules"), std::pair(0.0f, 0.0f));
  EXPECT_EQ(beyond("x", "y"), std::pair(0.0f, 0.0f));
}

TEST(ReadingTest, ModelsThatAreSureOfNothingAreBounded) {
  const auto features =
      Extract("x y z ", {.text = "x y", .model_score = -INFINITY});
  for (const float value : features) EXPECT_TRUE(std::isfinite(value));
}

TEST(ReadingTest, TheScoreIsASumAndUnits) {
  ReadingFeatures features = {};
  features[0] = 2;
  ReadingWeights weights;
  weights.linear[0] = 0.5f;
  EXPECT_FLOAT_EQ(ReadingScore(features, weights), 1);
  weights.units[3][0] = 1;
  weights.biases[3] = -1;
  weights.outputs[3] = 4;
  EXPECT_FLOAT_EQ(ReadingScore(features, weights), 1 + 4 * std::tanh(1.0f));
}

// What the shipped weights have to say whatever they are fitted on.
TEST(ReadingTest, TheFittedWeightsPreferWhatIsLikely) {
  Reading near{.text = "hey jude",
               .name_score = 1,
               .model_score = -0.5f,
               .model_best = true};
  near.proof = {.explained = 1,
                .covered = 1,
                .popularity_tail = 0.5f,
                .exact = true,
                .whole_words = true,
                .hits = 3,
                .known = 1,
                .rarest = 2};
  Reading far = near;
  far.text = "bad dude";
  far.model_score = -15;
  far.model_best = false;
  EXPECT_GT(ReadingScore(Extract("hay jude ", near)),
            ReadingScore(Extract("hay jude ", far)));
}

TEST(ReadingTest, ProbabilitiesAddUp) {
  const std::vector<float> scores = {1000, 999, -1000};
  const auto shares = Probabilities(scores);
  EXPECT_FLOAT_EQ(std::accumulate(shares.begin(), shares.end(), 0.0f), 1);
  EXPECT_NEAR(shares[0] / shares[1], std::exp(1.0f), 1e-4);
  EXPECT_EQ(shares[2], 0);
}

}  // namespace
}  // namespace quaver
