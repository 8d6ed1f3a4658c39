// An index in memory over a few thousand entities, made as ingest makes it.
#pragma once

#include <memory>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/catalogue/entity.h"
#include "quaver/index/snapshot.h"
#include "quaver/sched/servable.h"

namespace quaver {

// One segment of all entities, embedded by `encoder`; without vectors when it
// is null.
absl::StatusOr<std::shared_ptr<const Snapshot>> IndexEntities(
    const std::vector<Entity>& entities, Servable* encoder);

}  // namespace quaver
