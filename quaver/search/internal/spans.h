// Which parts of a query a correction changes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/search/correction.h"

namespace quaver {

// The words of `raw` that `text` (normalised) has otherwise: the fewest runs of
// words, aligned by word. A span without bytes is where a word was added.
std::vector<CorrectionSpan> DiffSpans(std::string_view raw,
                                      std::string_view text);

// `raw` with what its spans say in their places, all else as it was typed; one
// space between words, none around them.
std::string ApplySpans(std::string_view raw,
                       std::span<const CorrectionSpan> spans);

}  // namespace quaver
