// A filter made ready for one segment.
#pragma once

#include <cstdint>
#include <vector>

#include "quaver/catalogue/entity.h"
#include "quaver/index/snapshot.h"
#include "quaver/search/filter.h"
#include "quaver/search/retriever.h"

namespace quaver {

// Accepts live documents of the given types (empty: all) that pass the filter.
// The result refers to `part`; normalises each distinct genre once.
AcceptDoc MakeAcceptor(const SnapshotSegment& part, const Filter& filter,
                       const std::vector<EntityType>& types);

}  // namespace quaver
