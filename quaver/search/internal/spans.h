// Which parts of a query a correction changes.
#pragma once

#include <string_view>
#include <vector>

#include "quaver/search/correction.h"

namespace quaver {

// The words of `raw` that `text` (normalised) has otherwise: the fewest runs of
// words, aligned by word. A span without bytes is where a word was added.
std::vector<CorrectionSpan> DiffSpans(std::string_view raw,
                                      std::string_view text);

}  // namespace quaver
