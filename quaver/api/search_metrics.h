// What is counted of searches and corrections, whoever asked for them.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "quaver/base/metrics.h"
#include "quaver/search/search_bar.h"

namespace quaver {

// Stages are timed in quaver_search_stage_seconds{stage}; corrections are
// counted in quaver_correction_outcomes_total{outcome} and
// quaver_correction_passes. Several of the same `metrics`, which outlives them,
// count together. Thread-safe.
class SearchMetrics {
 public:
  explicit SearchMetrics(Metrics& metrics);

  void Observe(const SearchRequest& request,
               const SearchResponse& response) const;
  void Observe(const Correction& correction) const;

 private:
  void ObserveStage(const std::string& stage, int64_t us) const;

  Metrics& metrics_;
  Histogram passes_;
  std::array<Counter, 4> outcomes_;  // by SpellingOutcome
};

}  // namespace quaver
