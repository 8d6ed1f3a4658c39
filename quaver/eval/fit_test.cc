// Tests of the fit: it finds known weights, and only learns what ranks.
#include "quaver/eval/fit.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/hash.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;

// Queries of 20 candidates whose right one is drawn by softmax of 3 a + b; the
// third feature says nothing, the fourth is the same within a query.
FitQuery DrawQuery(uint64_t i, bool train) {
  Random random(7, i);
  FitQuery query;
  query.train = train;
  const auto constant = static_cast<float>(random.Uniform());
  double best = -1e9;
  size_t right = 0;
  for (size_t c = 0; c < 20; ++c) {
    const auto a = static_cast<float>(random.Uniform());
    const auto b = static_cast<float>(random.Uniform());
    const auto noise = static_cast<float>(random.Uniform());
    query.candidates.push_back({{a, b, noise, constant}, false});
    // The greatest of score + Gumbel noise is a draw from the softmax.
    const double score = 12 * a + 4 * b - std::log(-std::log(random.Uniform()));
    if (score > best) {
      best = score;
      right = c;
    }
  }
  query.candidates[right].right = true;
  return query;
}

TEST(RankingFitterTest, RecoversTheWeightsThatMadeTheData) {
  RankingFitter fitter({"a", "b", "noise", "constant"});
  for (uint64_t i = 0; i < 4000; ++i) {
    ASSERT_TRUE(fitter.Add(DrawQuery(i, i % 4 != 0)).ok());
  }
  const auto report = fitter.Fit({});
  ASSERT_TRUE(report.ok()) << report.status();
  const auto weight = [&](int i) {
    return report->weights[i] * report->sharpness;
  };
  // Standard errors of 3,000 queries are about 0.2 of a unit.
  EXPECT_NEAR(weight(0), 12, 0.8);
  EXPECT_NEAR(weight(1), 4, 0.6);
  EXPECT_NEAR(weight(2), 0, 0.6);
  EXPECT_NEAR(weight(3), 0, 1e-6);
  EXPECT_LT(report->train_loss, report->train_loss_before);
  EXPECT_NEAR(report->train_loss_before, std::log(20.0), 1e-9);
  EXPECT_EQ(report->train_queries, 3000u);
  EXPECT_EQ(report->held_queries, 1000u);
  EXPECT_NEAR(report->train_success_at_1.value, report->held_success_at_1.value,
              0.06);
  EXPECT_DOUBLE_EQ(report->held_ceiling.value, 1);
}

TEST(RankingFitterTest, EqualRunsGiveEqualWeights) {
  std::vector<double> first;
  for (int run = 0; run < 2; ++run) {
    RankingFitter fitter({"a", "b", "noise", "constant"});
    for (uint64_t i = 0; i < 50; ++i) {
      ASSERT_TRUE(fitter.Add(DrawQuery(i, true)).ok());
    }
    const auto report = fitter.Fit({.steps = 20});
    ASSERT_TRUE(report.ok());
    if (run == 0) first = report->weights;
    EXPECT_EQ(report->weights, first);
  }
}

TEST(RankingFitterTest, SeveralRightCandidatesShareTheCredit) {
  // Two right ones and one wrong: the likelihood at zero weights is 2 / 3.
  RankingFitter fitter({"a"});
  ASSERT_TRUE(
      fitter.Add({true, {{{1}, true}, {{0.5f}, true}, {{0}, false}}}).ok());
  const auto report = fitter.Fit({.steps = 1});
  ASSERT_TRUE(report.ok());
  EXPECT_NEAR(report->train_loss_before, std::log(1.5), 1e-12);
}

TEST(RankingFitterTest, WeightsOfQueriesScaleTheirSay) {
  // Two queries that disagree; the heavier one decides.
  for (const bool first_heavier : {true, false}) {
    RankingFitter fitter({"a"});
    ASSERT_TRUE(
        fitter
            .Add({true, {{{1}, true}, {{0}, false}}, first_heavier ? 3.0 : 1.0})
            .ok());
    ASSERT_TRUE(
        fitter
            .Add({true, {{{1}, false}, {{0}, true}}, first_heavier ? 1.0 : 3.0})
            .ok());
    const auto report = fitter.Fit({});
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->weights[0] > 0, first_heavier);
  }
}

TEST(RankingFitterTest, RefusesWhatCannotBeLearned) {
  RankingFitter fitter({"a", "b"});
  EXPECT_FALSE(fitter.Add({true, {{{1}, true}}}).ok());
  EXPECT_THAT(Message(fitter.Add({true, {{{1, NAN}, true}}})),
              HasSubstr("2 finite features"));
  // All right, or none right: nothing to order.
  ASSERT_TRUE(fitter.Add({true, {{{1, 2}, true}, {{2, 1}, true}}}).ok());
  ASSERT_TRUE(fitter.Add({true, {{{1, 2}, false}}}).ok());
  EXPECT_EQ(fitter.Fit({}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

SearchResponse Answer(bool right_first) {
  SearchResponse response;
  Hit right;
  right.title = "Hello";
  right.artist = "Adele";
  right.features = {{"words", 0.9}, {"popularity", 0.2}};
  Hit wrong = right;
  wrong.title = "Other";
  wrong.features = {{"words", 0.1}, {"popularity", 0.4}};
  if (right_first) {
    response.sections = {{EntityType::kTrack, 2, {right, wrong}}};
  } else {
    response.sections = {{EntityType::kTrack, 2, {wrong, right}}};
  }
  return response;
}

TEST(FitRankerTest, CollectsTheFeaturesOfHits) {
  const QuerySet set = {"touch", {{"helo", "hello", "Hello", "Adele"}}};
  const auto report =
      FitRanker({.train = {set},
                 .held = {set},
                 .search =
                     [](const std::string&) {
                       return absl::StatusOr<SearchResponse>(Answer(false));
                     },
                 .fit = {}});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(report->names, testing::ElementsAre("words", "popularity"));
  EXPECT_GT(report->weights[0], 0);
  EXPECT_LT(report->weights[1], 0);
  EXPECT_DOUBLE_EQ(report->weights[0], 1);  // the positive ones add up to 1
  EXPECT_DOUBLE_EQ(report->held_success_at_1.value, 1);
  EXPECT_THAT(WeightsTable(*report), HasSubstr("    1.0000f,  // words\n"));
  EXPECT_EQ(ToJson(*report)["weights"]["words"], 1);
  EXPECT_THAT(ToMarkdown(*report), HasSubstr("held out"));
}

TEST(FitRankerTest, SaysWhenHitsHaveNoFeatures) {
  const QuerySet set = {"touch", {{"helo", "hello", "Hello", "Adele"}}};
  const auto report =
      FitRanker({.train = {set},
                 .held = {},
                 .search =
                     [](const std::string&) {
                       return absl::StatusOr<SearchResponse>(SearchResponse());
                     },
                 .fit = {}});
  EXPECT_THAT(Message(report.status()), HasSubstr("explain=true"));
}

}  // namespace
}  // namespace quaver
