// Tests of the fit of readings: it finds what tells the right one.
#include "quaver/eval/fit_corrector.h"

#include <cmath>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;

constexpr size_t kA = 3, kB = 7, kC = 15;

WeighedReading With(const std::string& text,
                    const std::map<size_t, double>& values) {
  WeighedReading reading{.text = text};
  reading.features.assign(kNumReadingFeatures, 0);
  for (const auto& [feature, value] : values) {
    reading.features[feature] = static_cast<float>(value);
  }
  return reading;
}

// Queries with their readings; a reading "right" is right.
class Answers {
 public:
  // To the set "made", or with 1 to "other".
  void Add(std::vector<WeighedReading> readings, size_t set = 0) {
    const std::string query = std::to_string(readings_.size());
    if (sets_.size() <= set) sets_.resize(set + 1);
    sets_[set].name = set == 0 ? "made" : "other";
    sets_[set].rows.push_back({query, "right", "", ""});
    readings_[query] = std::move(readings);
  }

  // Trains on these and measures others, or the same.
  FitCorrectorConfig Config(const Answers* held = nullptr) const {
    FitCorrectorConfig config;
    config.train = sets_;
    config.correct = [this, held](const std::string& query) {
      Correction correction;
      correction.readings = query.starts_with("held ")
                                ? held->readings_.at(query.substr(5))
                                : readings_.at(query);
      return absl::StatusOr<Correction>(std::move(correction));
    };
    config.held = (held == nullptr ? *this : *held).sets_;
    if (held == nullptr) return config;
    for (QuerySet& set : config.held) {
      for (QueryRow& row : set.rows) row.query = "held " + row.query;
    }
    return config;
  }

 private:
  std::vector<QuerySet> sets_;
  std::map<std::string, std::vector<WeighedReading>> readings_;
};

// A feature tells the right one of four, two others say nothing.
Answers Told(uint64_t seed) {
  Random random(seed);
  Answers answers;
  for (int i = 0; i < 40; ++i) {
    std::vector<WeighedReading> readings;
    const size_t right = random.Below(4);
    for (size_t k = 0; k < 4; ++k) {
      const double tells = k == right ? 0.8 : 0.2;
      readings.push_back(With(k == right ? "Right!" : "wrong",
                              {{kA, random.Uniform()},
                               {kB, random.Uniform()},
                               {kC, tells + 0.1 * random.Uniform()}}));
    }
    answers.Add(std::move(readings));
  }
  return answers;
}

TEST(FitCorrectorTest, FindsTheFeatureThatTells) {
  const Answers train = Told(1), held = Told(2);
  FitCorrectorConfig config = train.Config(&held);
  config.steps = 200;
  const auto report = FitCorrector(config);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->train_queries, 40u);
  EXPECT_NEAR(report->train_loss_before, std::log(4.0), 1e-9);
  EXPECT_LT(report->train_loss, 0.1);
  EXPECT_GT(report->weights.linear[kC], 1);
  ASSERT_EQ(report->held_right.size(), 2u);
  EXPECT_EQ(report->held_right[0].first, "all");
  EXPECT_EQ(report->held_right[1].first, "made");
  EXPECT_DOUBLE_EQ(report->held_right[0].second.value, 1);
  EXPECT_DOUBLE_EQ(report->held_right[1].second.value, 1);
  EXPECT_DOUBLE_EQ(report->held_ceiling.value, 1);
  size_t rows = 0;
  for (const auto& bin : report->calibration) rows += bin.rows;
  EXPECT_EQ(rows, 40u);
  EXPECT_GT(report->calibration[9].rows, 20u);
  EXPECT_DOUBLE_EQ(report->calibration[9].right, 1);

  const auto json = ToJson(*report);
  EXPECT_EQ(json["train_queries"], 40);
  EXPECT_EQ(json["train_loss"], report->train_loss);
  EXPECT_EQ(json["held_right"]["made"]["value"], 1);
  EXPECT_EQ(json["calibration"].size(), 10u);
  EXPECT_EQ(json["source"], WeightsSource(report->weights));
  const std::string text = ToMarkdown(*report);
  EXPECT_THAT(text, HasSubstr("100.0 (100.0-100.0)"));
  EXPECT_THAT(text, HasSubstr("40 queries, loss 1.3863 -> "));
}

TEST(FitCorrectorTest, EqualSeedsGiveEqualWeights) {
  const Answers train = Told(1);
  FitCorrectorConfig config = train.Config();
  config.steps = 10;
  const auto source = [&](uint64_t seed) {
    config.seed = seed;
    return WeightsSource(FitCorrector(config).value().weights);
  };
  const std::string first = source(1);
  EXPECT_EQ(source(1), first);
  EXPECT_NE(source(2), first);
}

// No weights of a sum put (1, 0) before (0, 0) and (1, 1), and (0, 1), too.
TEST(FitCorrectorTest, UnitsSeeWhatASumCannot) {
  Answers train;
  for (const double a : {0, 1}) {
    for (const double b : {0, 1}) {
      train.Add({With("right", {{kA, a}, {kB, 1 - a}}),
                 With("wrong", {{kA, b}, {kB, b}})});
    }
  }
  const auto report = FitCorrector(train.Config());
  ASSERT_TRUE(report.ok());
  EXPECT_DOUBLE_EQ(report->held_right[0].second.value, 1);
  EXPECT_LT(report->train_loss, 0.2);
}

// The optimum of a likelihood where two readings are right at times, by hand:
// p(c) = 2/8; p(a) : p(b) as those that they are right in alone, 3 : 1.
TEST(FitCorrectorTest, ReachesTheGreatestLikelihood) {
  Answers train;
  const auto add = [&](int times, const std::string& right) {
    for (; times > 0; --times) {
      std::vector<WeighedReading> readings;
      for (const auto& [name, feature] :
           {std::pair('a', kA), {'b', kB}, {'c', kC}}) {
        const bool is_right = right.find(name) != std::string::npos;
        readings.push_back(With(is_right ? "right" : "wrong", {{feature, 1}}));
      }
      train.Add(std::move(readings));
    }
  };
  add(2, "ab");
  add(1, "b");
  add(2, "c");
  add(3, "a");
  FitCorrectorConfig config = train.Config();
  config.weight_decay = 0;
  const auto report = FitCorrector(config);
  ASSERT_TRUE(report.ok());
  const double pa = 0.75 * 3 / 4, pb = 0.75 / 4, pc = 0.25;
  EXPECT_NEAR(report->train_loss,
              -(2 * std::log(pa + pb) + std::log(pb) + 2 * std::log(pc) +
                3 * std::log(pa)) /
                  8,
              1e-4);
  std::vector<float> scores;
  for (const size_t feature : {kA, kB, kC}) {
    ReadingFeatures features = {};
    features[feature] = 1;
    scores.push_back(ReadingScore(features, report->weights));
  }
  const auto shares = Probabilities(scores);
  EXPECT_NEAR(shares[0], pa, 0.01);
  EXPECT_NEAR(shares[1], pb, 0.01);
  EXPECT_NEAR(shares[2], pc, 0.01);
}

TEST(FitCorrectorTest, EverySetCountsAlike) {
  // One query of one set, three of another that say the contrary.
  Answers train;
  train.Add({With("right", {{kA, 1}}), With("wrong", {})}, 0);
  for (int i = 0; i < 3; ++i) {
    train.Add({With("wrong", {{kA, 1}}), With("right", {})}, 1);
  }
  const auto report = FitCorrector(train.Config());
  ASSERT_TRUE(report.ok());
  EXPECT_NEAR(report->train_loss, std::log(2.0), 1e-3);
}

TEST(FitCorrectorTest, RefusesWhatCannotBeLearned) {
  Answers train;
  train.Add({With("wrong", {{kA, 1}}), With("worse", {})});
  train.Add({With("right", {{kA, 1}})});
  train.Add({});
  FitCorrectorConfig config = train.Config();
  EXPECT_EQ(FitCorrector(config).status().code(),
            absl::StatusCode::kFailedPrecondition);
  config.train = {};
  EXPECT_EQ(FitCorrector(config).status().code(),
            absl::StatusCode::kFailedPrecondition);
  config = train.Config();
  config.correct = [](const std::string&) {
    return absl::StatusOr<Correction>(absl::InternalError("no model"));
  };
  EXPECT_THAT(Message(FitCorrector(config).status()),
              HasSubstr("made, query '0': no model"));
}

TEST(FitCorrectorTest, HeldQueriesWithoutARightReadingCount) {
  Answers train, held;
  train.Add({With("right", {{kA, 1}}), With("wrong", {})});
  held.Add({With("right", {{kA, 1}}), With("wrong", {})});
  held.Add({With("worse", {{kA, 1}}), With("wrong", {})});
  FitCorrectorConfig config = train.Config(&held);
  config.steps = 50;
  const auto report = FitCorrector(config);
  ASSERT_TRUE(report.ok());
  EXPECT_DOUBLE_EQ(report->held_ceiling.value, 0.5);
  EXPECT_DOUBLE_EQ(report->held_right[0].second.value, 0.5);
}

TEST(FitCorrectorTest, WritesFeatures) {
  Answers train, held;
  train.Add({With("wrong", {{kA, 0.5}}), With("Right", {{kC, 1}})});
  train.Add({});
  held.Add({With("right", {{kB, 0.25}})});
  FitCorrectorConfig config = train.Config(&held);
  config.steps = 1;
  config.features_file = testing::TempDir() + "/quaver_fit_corrector.jsonl";
  ASSERT_TRUE(FitCorrector(config).ok());
  const auto text = ReadFile(config.features_file);
  ASSERT_TRUE(text.ok());
  std::vector<nlohmann::json> lines;
  std::istringstream stream(*text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(nlohmann::json::parse(line));
  }
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["set"], "made");
  EXPECT_EQ(lines[0]["train"], true);
  EXPECT_EQ(lines[0]["query"], "0");
  EXPECT_EQ(lines[0]["wanted"], "right");
  ASSERT_EQ(lines[0]["readings"].size(), 2u);
  EXPECT_EQ(lines[0]["readings"][0]["right"], false);
  EXPECT_EQ(lines[0]["readings"][0]["features"][kA], 0.5);
  EXPECT_EQ(lines[0]["readings"][1]["text"], "Right");
  EXPECT_EQ(lines[0]["readings"][1]["right"], true);
  EXPECT_EQ(lines[0]["readings"][1]["features"].size(), kNumReadingFeatures);
  EXPECT_EQ(lines[1]["train"], false);

  config.features_file = testing::TempDir() + "/absent/features.jsonl";
  const auto status = FitCorrector(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), HasSubstr(config.features_file));
  config.features_file = "/dev/full";
  EXPECT_EQ(FitCorrector(config).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(FitCorrectorTest, TheSourceHasAllNumbersInTheirOrder) {
  ReadingWeights weights;
  float next = -1;
  std::vector<std::string> wanted;
  const auto fill = [&](auto& values) {
    for (float& value : values) {
      value = next += 0.125f;
      wanted.push_back(fmt::format("{:.3f}f", value));
    }
  };
  fill(weights.linear);
  for (ReadingFeatures& unit : weights.units) fill(unit);
  fill(weights.biases);
  fill(weights.outputs);
  const std::string source = WeightsSource(weights);
  size_t at = 0;
  for (const std::string& number : wanted) {
    at = source.find(number, at);
    ASSERT_NE(at, std::string::npos) << number;
    at += number.size();
  }
  EXPECT_EQ(source.substr(at), "}};\n");
  EXPECT_THAT(source, HasSubstr(".units = {{{"));
}

}  // namespace
}  // namespace quaver
