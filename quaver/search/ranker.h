// The ranking function: one score for candidates of all legs.
//
// A weighted sum of features in [0, 1]; the weights are fitted on simulated
// queries (`quaver eval fit-ranker`) and kept in rank_weights.h.
#pragma once

#include "quaver/index/snapshot.h"
#include "quaver/search/features.h"
#include "quaver/search/query.h"

namespace quaver {

// What the candidates of a query, of all segments, say together.
struct Evidence {
  // All of the query's words are words of the catalogue: it has no mistake
  // that shows.
  bool spelled = false;
  float nearness = 0;  // of the nearest name: mean of kWords and kWhole
  float bm25 = 0;      // the greatest
  float meaning = 0;   // the greatest

  void Add(const Features& features);
  // How little the query is a name, in [0, 1]: 0 when some candidate is named
  // nearly so, 1 when none is near; a query without mistakes has to be nearer.
  float Breadth() const;
};
// Whether the query's words are in some segment, each in at least kLeastKnown
// documents (fewer are other people's mistakes).
bool IsSpelled(const Snapshot& snapshot, const Query& query);
// Sets the features that depend on the query's breadth, and fades those of
// names. Call once for each candidate.
void ApplyBreadth(const Evidence& evidence, Features& features);

// The fitted weighted sum.
float RankScore(const Features& features);

}  // namespace quaver
