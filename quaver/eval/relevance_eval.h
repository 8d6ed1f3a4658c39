// Does meaning help? Words, vectors and both on collections with judgements.
//
//   ASSIGN_OR_RETURN(auto cranfield, ReadCranfield("cranfield"));
//   ASSIGN_OR_RETURN(auto report, RunRelevanceEval(cranfield, encoder, {}));
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/base/status.h"
#include "quaver/catalogue/entity.h"
#include "quaver/eval/statistics.h"
#include "quaver/sched/servable.h"

namespace quaver {

struct JudgedQuery {
  std::string text;
  std::map<std::string, double> gains;  // by entity id; absent: 0
};

// Entities of one type and queries about them.
struct JudgedCollection {
  EntityType type = EntityType::kShow;
  std::vector<Entity> entities;
  std::vector<JudgedQuery> queries;
};

// The Cranfield collection as docs.tsv (doc_id, title, text), queries.tsv
// (query_id, text) and qrels.tsv (query_id, doc_id, code) in a folder.
// Documents become shows. Cranfield's code 1 is a complete answer and 4 of
// minimum interest: gains are 5 - code; -1, the paper that the question was
// drawn from, gains nothing.
absl::StatusOr<JudgedCollection> ReadCranfield(const std::string& folder);

// Tracks of a TSV file (id, title, composer, album, genre, description), and
// `num_queries` of their descriptions, which are not indexed, as queries for
// them.
absl::StatusOr<JudgedCollection> ReadDescribedTracks(const std::string& path,
                                                     size_t num_queries,
                                                     uint64_t seed);

struct LegFigures {
  std::string leg;  // "words", "vectors", "hybrid"
  Interval ndcg_at_10;
  Interval success_at_10;  // something with a gain among ten
};

struct RelevanceReport {
  size_t documents = 0;
  size_t queries = 0;
  std::vector<LegFigures> legs;
  // Query by query, hybrid minus the other leg.
  Interval ndcg_over_words;
  Interval ndcg_over_vectors;
  Interval success_over_vectors;
};

// Indexes the collection in memory, as ingest does, and searches it: words are
// the search bar without meaning, hybrid with it, vectors the vector index
// alone.
absl::StatusOr<RelevanceReport> RunRelevanceEval(
    const JudgedCollection& collection, std::shared_ptr<Servable> encoder,
    uint64_t seed = 1);

nlohmann::json ToJson(const RelevanceReport& report);
std::string ToMarkdown(const RelevanceReport& report);

}  // namespace quaver
