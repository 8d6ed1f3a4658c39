// Does the vector index find what an exact search finds, and how fast?
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/base/status.h"
#include "quaver/eval/statistics.h"
#include "quaver/index/snapshot.h"
#include "quaver/index/vector.h"
#include "quaver/sched/servable.h"

namespace quaver {

struct IndexEvalConfig {
  VectorParams params;  // num_results is the depth of the recall
  size_t num_queries = 1'000;
  // Embeds every document again, to compare with fp32 vectors rather than with
  // their stored int8 form: as long as an ingest, 4 * D bytes a document.
  bool reembed = false;
  uint64_t seed = 1;  // of the sample and the intervals
};

struct IndexReport {
  size_t vectors = 0;
  size_t dimension = 0;
  size_t queries = 0;
  size_t depth = 0;          // num_results
  bool reembedded = false;   // recall is of fp32 vectors, not of the int8 form
  Interval recall;           // of the exact best `depth`
  double queries_per_s = 0;  // one thread, all segments
  double p50_us = 0;
  double p99_us = 0;
  double scanned_bytes = 0;  // a vector: codes, factors, items, lists
  double rerank_bytes = 0;   // a vector: the int8 form and its scale
};

// Embeds a sample of `queries` and searches every segment for them; results of
// the segments are merged. A found item counts when its score is not below the
// exact last one's, so that ties cost nothing. FailedPrecondition when the
// snapshot has no vectors or there are no queries.
absl::StatusOr<IndexReport> RunIndexEval(
    const Snapshot& snapshot, Servable& encoder,
    const std::vector<std::string>& queries, const IndexEvalConfig& config);

// The bytes of the vector tensors of the segment files of an index folder,
// put into the report.
absl::Status AddSizes(const std::string& folder, IndexReport& report);

nlohmann::json ToJson(const IndexReport& report);
std::string ToMarkdown(const IndexReport& report);

}  // namespace quaver
