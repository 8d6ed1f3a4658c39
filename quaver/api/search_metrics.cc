// See search_metrics.h.
#include "quaver/api/search_metrics.h"

#include <vector>

namespace quaver {
namespace {

// Upper bounds in seconds: stages last from microseconds to milliseconds.
const std::vector<double> kStageBounds = {0.00005, 0.0001, 0.00025, 0.0005,
                                          0.001,   0.002,  0.003,   0.005,
                                          0.0075,  0.01,   0.025,   0.1};

// One that answers at once takes a pass or two.
const std::vector<double> kPassBounds = {0, 1, 2, 3, 4, 6, 8, 12, 16, 32};

constexpr std::array kOutcomes = {
    SpellingOutcome::kNone, SpellingOutcome::kSilent, SpellingOutcome::kShown,
    SpellingOutcome::kAsked};

}  // namespace

SearchMetrics::SearchMetrics(Metrics& metrics)
    : metrics_(metrics),
      passes_(metrics.AddHistogram(
          "quaver_correction_passes",
          "Passes of the decoder that each query's correction took.",
          kPassBounds)) {
  static_assert(kOutcomes.size() == decltype(outcomes_)().size());
  for (const SpellingOutcome outcome : kOutcomes) {
    outcomes_[static_cast<size_t>(outcome)] =
        metrics.AddCounter("quaver_correction_outcomes_total",
                           "Queries by what came of their spelling.",
                           {{"outcome", std::string(Name(outcome))}});
  }
}

void SearchMetrics::Observe(const SearchRequest& request,
                            const SearchResponse& response) const {
  for (const auto& [stage, us] : response.timing_us) ObserveStage(stage, us);
  if (request.correct) Observe(response.correction);
}

void SearchMetrics::Observe(const Correction& correction) const {
  for (const auto& [stage, us] : correction.timing_us) ObserveStage(stage, us);
  outcomes_[static_cast<size_t>(correction.outcome)].Increment();
  passes_.Observe(correction.passes);
}

void SearchMetrics::ObserveStage(const std::string& stage, int64_t us) const {
  metrics_
      .AddHistogram("quaver_search_stage_seconds",
                    "Time that each stage of a search took.", kStageBounds,
                    {{"stage", stage}})
      .Observe(static_cast<double>(us) * 1e-6);
}

}  // namespace quaver
