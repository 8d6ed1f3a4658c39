// Are misspelled queries mended, and others left alone?
//
//   const CorrectVariant product = {"product", [&](const std::string& query) {
//     return bar.Correct(query);
//   }};
//   ASSIGN_OR_RETURN(auto report, RunCorrectEval(sets, {product}, {}));
//   fmt::print("{}", ToMarkdown(report));
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/base/status.h"
#include "quaver/eval/query_file.h"
#include "quaver/eval/statistics.h"
#include "quaver/search/correction.h"

namespace quaver {

// One way to correct. "do nothing" is measured without being asked for.
struct CorrectVariant {
  std::string name;
  std::function<absl::StatusOr<Correction>(const std::string& query)> correct;
};

struct CorrectEvalConfig {
  size_t max_rows = 0;    // of each set; 0: all
  size_t max_misses = 0;  // of each set and variant, kept in the report
  uint64_t seed = 1;      // of the intervals
};

struct CorrectMiss {
  QueryRow row;
  Correction correction;
};

struct CorrectFigures {
  std::string set;
  std::string variant;
  size_t rows = 0;
  // What is searched for without asking is the reference, comparable.
  Interval exact_fix;
  // Of rows that were right as typed: searched for something else. Of others:
  // changed, but not into the reference.
  Interval false_corrections;
  // The reference is what is searched for, asked about or an alternative.
  Interval offered;
  double gated = 0;   // share
  double passes = 0;  // mean, of what was not gated
  double p50_us = 0;
  double p99_us = 0;
  std::vector<CorrectMiss> misses;
};

// Exact fix of the rows of one kind, over all sets.
struct CorrectKind {
  std::string kind;  // "1 edit", ..., "swap", "neighbour key", ...
  std::string variant;
  size_t rows = 0;
  Interval exact_fix;
};

// What the last variant mends more than another, row by row.
struct CorrectDifference {
  std::string set;
  std::string variant;
  std::string baseline;
  size_t rows = 0;
  Interval exact_fix;
};

struct CorrectReport {
  std::vector<CorrectFigures> figures;         // by set, then variant
  std::vector<CorrectDifference> differences;  // by set, then baseline
  std::vector<CorrectKind> kinds;              // by kind, then variant
};

// "right", "1 edit", "2 edits", "3 or more edits": of comparable forms.
std::string EditsKind(const QueryRow& row);
// Of a row with one edit: "swap", "space", "doubled letter", "neighbour key",
// "lost letter", "letter too many", "other letter"; "" for other rows.
std::string MistakeKind(const QueryRow& row);

// Queries run one after the other. The first error ends the run and names the
// query.
absl::StatusOr<CorrectReport> RunCorrectEval(
    const std::vector<QuerySet>& sets,
    const std::vector<CorrectVariant>& variants,
    const CorrectEvalConfig& config);

nlohmann::json ToJson(const CorrectReport& report);
std::string ToMarkdown(const CorrectReport& report);

}  // namespace quaver
