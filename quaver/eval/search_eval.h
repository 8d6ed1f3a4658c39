// Do people find what they were looking for, and how long does it take?
//
//   const SearchVariant raw = {"do nothing", [&](const std::string& query) {
//     return bar.Search({.query = query});
//   }};
//   ASSIGN_OR_RETURN(auto report, RunSearchEval(sets, {raw}, {}));
//   fmt::print("{}", ToMarkdown(report));
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/base/status.h"
#include "quaver/eval/query_file.h"
#include "quaver/eval/statistics.h"
#include "quaver/search/search_bar.h"

namespace quaver {

// One way to answer. The first variant of every run is "do nothing": the raw
// query, answered without a corrector.
struct SearchVariant {
  std::string name;
  std::function<absl::StatusOr<SearchResponse>(const std::string& query)>
      search;
};

struct SearchEvalConfig {
  size_t max_rows = 0;    // of each set; 0: all
  size_t max_misses = 0;  // of each set and variant, kept in the report
  uint64_t seed = 1;      // of the intervals
};

struct StageLatency {
  std::string stage;
  double p50_us = 0;
  double p90_us = 0;
  double p99_us = 0;
};

// A query whose target was not at rank 1.
struct Miss {
  QueryRow row;
  int rank = 0;  // 2 to 10, 0 when not among ten
  std::string first_title;
  std::string first_artist;
};

struct SearchFigures {
  std::string set;
  std::string variant;
  size_t rows = 0;
  size_t targets = 0;     // rows that name what should be found
  Interval exact_fix;     // the answered query is the reference, comparable
  Interval success_at_1;  // of targets, among hits of type track
  Interval success_at_10;
  std::vector<StageLatency> latency;  // in order of the answer's timings
  std::vector<Miss> misses;
};

// What the last variant finds more than another, target by target.
struct SearchDifference {
  std::string set;
  std::string variant;
  std::string baseline;
  size_t targets = 0;
  Interval success_at_1;
  Interval success_at_10;
};

struct SearchReport {
  std::vector<SearchFigures> figures;         // by set, then variant
  std::vector<SearchDifference> differences;  // by set, then baseline
  // Over all sets, by variant.
  std::vector<std::pair<std::string, std::vector<StageLatency>>> latency;
};

// The rank, from 1, of the first track with the row's title and artist (or,
// where it names no title, the artist); 0 when none of the first ten is. Text
// is compared as ComparableText.
int TargetRank(const QueryRow& row, const SearchResponse& response);

// Queries run one after the other. The first error of a search ends the run
// and names the query.
absl::StatusOr<SearchReport> RunSearchEval(
    const std::vector<QuerySet>& sets,
    const std::vector<SearchVariant>& variants, const SearchEvalConfig& config);

nlohmann::json ToJson(const SearchReport& report);
std::string ToMarkdown(const SearchReport& report);

}  // namespace quaver
