// What a person may be about to type.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "quaver/index/snapshot.h"
#include "quaver/search/query.h"
#include "quaver/search/search_bar.h"

namespace quaver {

// At most `count` suggestions: names that begin with the query, the best known
// first; if those are few, names alike (misspelled prefixes); in the last place
// or places entities near it in meaning, when `embedding` is not empty. A text
// is suggested once.
std::vector<Suggestion> MakeSuggestions(const Snapshot& snapshot,
                                        const Query& query,
                                        std::span<const float> embedding,
                                        int count);

}  // namespace quaver
