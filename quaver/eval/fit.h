// Fits the weights of a linear ranking function on queries whose right
// answers are known.
//
//   RankingFitter fitter({"words", "whole", "popularity"});
//   RETURN_IF_ERROR(fitter.Add({.train = true, .candidates = candidates}));
//   ASSIGN_OR_RETURN(FitReport report, fitter.Fit({}));
//   fmt::print("{}", WeightsTable(report));
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/base/status.h"
#include "quaver/eval/query_file.h"
#include "quaver/eval/statistics.h"
#include "quaver/search/search_bar.h"

namespace quaver {

struct FitCandidate {
  std::vector<float> features;  // [F], in the order of the fitter's names
  bool right = false;
};

struct FitQuery {
  bool train = true;  // false: only measured
  std::vector<FitCandidate> candidates;
  // Of the query in the likelihood, so that sets can count alike.
  double weight = 1;
};

struct FitConfig {
  double l2 = 1e-4;  // times the squared standardised weights
  int steps = 600;
  double learning_rate = 0.05;  // of Adam, falling to zero by a cosine
};

struct FitReport {
  std::vector<std::string> names;  // [F]
  // [F], for features as they are; positive ones add up to 1, so that scores
  // of features in [0, 1] are at most 1.
  std::vector<double> weights;
  // exp(sharpness * score) is what the likelihood compares.
  double sharpness = 1;
  size_t train_queries = 0;      // with a right candidate
  size_t held_queries = 0;       // all, with a right candidate or not
  double train_loss_before = 0;  // -log likelihood a query, all weights 0
  double train_loss = 0;
  Interval train_success_at_1;  // of those with a right candidate
  Interval held_success_at_1;
  Interval held_success_at_10;
  Interval held_ceiling;  // a right candidate was there at all
};

// Listwise softmax: a query's likelihood is the share of its right candidates
// in the sum of exp(score) over all; maximised by Adam over the whole set
// with features standardised over the training candidates. Deterministic.
// Keeps F floats a candidate.
class RankingFitter {
 public:
  explicit RankingFitter(std::vector<std::string> names);

  // InvalidArgument when a candidate has another number of features or one
  // that is not finite. Training queries without a right or a wrong candidate
  // teach nothing and are left out.
  absl::Status Add(const FitQuery& query);

  // FailedPrecondition when there is nothing to learn from.
  absl::StatusOr<FitReport> Fit(const FitConfig& config) const;

 private:
  struct Query {
    size_t begin = 0;  // of its candidates
    size_t end = 0;
    double weight = 1;
  };
  struct Data {
    std::vector<float> features;  // [N, F]
    std::vector<char> right;      // [N]
    std::vector<Query> queries;
  };

  std::vector<double> Scales() const;
  double LossAndGradient(const std::vector<float>& features,
                         const std::vector<double>& weights,
                         std::vector<double>& gradient) const;
  double Descend(const std::vector<float>& features, const FitConfig& config,
                 std::vector<double>& weights) const;
  std::vector<size_t> Ranks(const Data& data,
                            const std::vector<double>& weights) const;
  void Measure(FitReport& report) const;

  std::vector<std::string> names_;
  Data train_;
  Data held_;
};

struct FitRankerConfig {
  std::vector<QuerySet> train;
  std::vector<QuerySet> held;
  // Answers with explain=true and as many hits as it can; the tracks'
  // features are fitted.
  std::function<absl::StatusOr<SearchResponse>(const std::string& query)>
      search;
  FitConfig fit;
};

// Collects the features of every query's tracks and fits. Every set counts
// alike. FailedPrecondition when hits carry no features.
absl::StatusOr<FitReport> FitRanker(const FitRankerConfig& config);

// The weights as lines of a C++ table, a name in a comment behind each.
std::string WeightsTable(const FitReport& report);

nlohmann::json ToJson(const FitReport& report);
std::string ToMarkdown(const FitReport& report);

}  // namespace quaver
