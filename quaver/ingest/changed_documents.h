// Documents of what changed in the catalogue.
#pragma once

#include <cstddef>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/catalogue/store.h"
#include "quaver/index/document.h"
#include "quaver/index/snapshot.h"
#include "quaver/ingest/popularity.h"
#include "quaver/sched/servable.h"

namespace quaver {

// One document for each change that is no deletion, with its embedding. A text
// that `current` holds under the same id is not embedded again.
absl::StatusOr<std::vector<Document>> MakeDocuments(
    const std::vector<Change>& changes, const Snapshot& current,
    const PopularityScale& scale, size_t dimension, Servable& encoder);

}  // namespace quaver
