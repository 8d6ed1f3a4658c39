// Which parts of a field a query matched, for marking.
#pragma once

#include <string_view>
#include <vector>

#include "quaver/search/query.h"
#include "quaver/search/search_bar.h"

namespace quaver {

// Ranges of `text` (bytes, ascending, apart) whose words a query word matches:
// equal, begun by it, or alike enough for a misspelling. `field` is copied
// into the results. O(words of text * words of query).
void AddHighlights(const Query& query, std::string_view field,
                   std::string_view text, std::vector<Highlight>& highlights);

}  // namespace quaver
