// Does the search bar suggest a famous title after its first letters?
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/base/status.h"
#include "quaver/eval/statistics.h"
#include "quaver/noise/query_set.h"
#include "quaver/search/search_bar.h"

namespace quaver {

using SuggestFunction =
    std::function<absl::StatusOr<std::vector<Suggestion>>(const std::string&)>;

struct SuggestEvalConfig {
  size_t num_titles = 1'000;  // the best-known distinct ones
  std::vector<int> letters = {3, 6};
  size_t num_suggestions = 8;  // those counted
  uint64_t seed = 1;           // of the intervals
};

struct SuggestFigures {
  int letters = 0;
  size_t rows = 0;
  Interval found;  // the track itself is among the suggestions
  double p50_us = 0;
  double p90_us = 0;
  double p99_us = 0;
};

struct SuggestReport {
  std::vector<SuggestFigures> figures;
};

// The beginning of a title, comparable, up to its num_letters-th letter or
// digit; all of it when it has no more.
std::string FirstLetters(std::string_view title, int num_letters);

// `tracks` are best-known first; of tracks with one comparable title the first
// counts. A suggestion is right when it is a track of that title and artist.
absl::StatusOr<SuggestReport> RunSuggestEval(std::span<const TrackName> tracks,
                                             const SuggestFunction& suggest,
                                             const SuggestEvalConfig& config);

nlohmann::json ToJson(const SuggestReport& report);
std::string ToMarkdown(const SuggestReport& report);

}  // namespace quaver
