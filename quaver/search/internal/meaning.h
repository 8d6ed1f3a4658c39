// The leg of meaning, which may run ahead of the others on a core of its own.
#pragma once

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "quaver/base/cores.h"
#include "quaver/base/status.h"
#include "quaver/catalogue/entity.h"
#include "quaver/index/snapshot.h"
#include "quaver/sched/servable.h"
#include "quaver/search/filter.h"
#include "quaver/search/query.h"
#include "quaver/search/retriever.h"

namespace quaver {

struct Meaning {
  std::vector<float> embedding;           // empty: none
  std::vector<std::vector<LegHit>> hits;  // of each segment
};

// Embeds the query and finds what is near. `encoder` may be null: then, and for
// a query without a word, there is no meaning. Errors are the encoder's.
absl::StatusOr<Meaning> FindMeaning(Servable* encoder, const Snapshot& snapshot,
                                    const Query& query, const Filter& filter,
                                    const std::vector<EntityType>& types,
                                    const CallOptions& call);

// One search's guess of what it will ask the meaning of.
class MeaningAhead {
 public:
  // All must outlive it.
  MeaningAhead(Servable* encoder, const Snapshot& snapshot,
               const Filter& filter, const std::vector<EntityType>& types,
               const CallOptions& call,
               CoreBudget& cores = CoreBudget::OfProcess())
      : cores_(cores),
        encoder_(encoder),
        snapshot_(snapshot),
        filter_(filter),
        types_(types),
        call_(call) {}
  // Waits for what was begun.
  ~MeaningAhead();

  // Begins FindMeaning where a core is idle. REQUIRES: not begun before.
  void Begin(Query query);
  // The same result as FindMeaning's: what was begun if it was for this query,
  // else computed now.
  absl::StatusOr<Meaning> Take(const Query& query);

 private:
  CoreBudget& cores_;
  Servable* encoder_;
  const Snapshot& snapshot_;
  const Filter& filter_;
  const std::vector<EntityType>& types_;
  const CallOptions& call_;
  std::string guess_;
  std::future<absl::StatusOr<Meaning>> begun_;
};

}  // namespace quaver
