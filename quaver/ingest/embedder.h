// Embeddings of many texts, on all cores.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

// Embeds every text; result i is text i's, [texts, D]. Texts are grouped by
// length, so that no call mixes short and long ones. `progress` (may be null)
// is called from one thread at a time with the number done so far.
absl::StatusOr<std::vector<std::vector<float>>> EmbedAll(
    Servable& encoder, const std::vector<std::string>& texts, int num_threads,
    const std::function<void(size_t done)>& progress);

}  // namespace quaver
