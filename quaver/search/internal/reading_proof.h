// What the catalogue says of readings, all looked up in one batch.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "quaver/index/snapshot.h"
#include "quaver/search/query.h"
#include "quaver/search/reading.h"

namespace quaver {

// A document of a snapshot.
struct Place {
  size_t part = 0;
  uint32_t doc = 0;
  float score = 0;  // the ranking function's, for the query as typed
};

// Fills in the readings' proofs. Documents that may explain a reading are the
// `near` ones and those with all of its words (of the rarest word's first some
// hundred). `open`: the last word may be the beginning of a document's word.
void Prove(const Snapshot& snapshot, std::span<const Place> near, bool open,
           std::span<Reading> readings);

}  // namespace quaver
