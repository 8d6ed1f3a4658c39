// Fits what weighs a query's readings on queries whose right reading is known.
//
//   ASSIGN_OR_RETURN(const auto report, FitCorrector(config));
//   fmt::print("{}", ToMarkdown(report));
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/base/status.h"
#include "quaver/eval/query_file.h"
#include "quaver/eval/statistics.h"
#include "quaver/search/correction.h"
#include "quaver/search/reading.h"

namespace quaver {

struct FitCorrectorConfig {
  std::vector<QuerySet> train;
  std::vector<QuerySet> held;  // only measured
  // Answers with explain=true and no gate.
  std::function<absl::StatusOr<Correction>(const std::string& query)> correct;
  uint64_t seed = 1;  // of the first weights
  int steps = 600;
  double learning_rate = 0.02;  // of Adam, falling to zero by a cosine
  double weight_decay = 0.01;   // decoupled, a step, times the rate
  // "": no file. A JSON object a query: set, train, query, wanted, readings
  // with text, right and features, for other ways to fit.
  std::string features_file;
};

struct FitCorrectorReport {
  ReadingWeights weights;
  size_t train_queries = 0;      // with a right reading
  double train_loss_before = 0;  // -log likelihood a query, all weights 0
  double train_loss = 0;
  // The likeliest reading is right: of held queries, by set and over all.
  std::vector<std::pair<std::string, Interval>> held_right;
  Interval held_ceiling;  // a right reading was there at all
  // Held queries whose likeliest reading has a probability within a tenth:
  // from 0.0, 0.1, ...; its mean, and how many of them are right.
  struct Calibration {
    size_t rows = 0;
    double probability = 0;
    double right = 0;
  };
  std::vector<Calibration> calibration;  // [10]
};

// Listwise softmax: a query's likelihood is the share of its right readings in
// the sum of exp(score) over all, so the shares are probabilities. Every set
// counts alike. Deterministic. FailedPrecondition when no query has a right
// reading beside a wrong one.
absl::StatusOr<FitCorrectorReport> FitCorrector(
    const FitCorrectorConfig& config);

// The weights as the source of reading_weights.h has them.
std::string WeightsSource(const ReadingWeights& weights);

nlohmann::json ToJson(const FitCorrectorReport& report);
std::string ToMarkdown(const FitCorrectorReport& report);

}  // namespace quaver
