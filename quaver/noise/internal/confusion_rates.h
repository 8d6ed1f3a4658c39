// The rates of confusions that were fitted to human misspellings.
#pragma once

#include <string_view>

namespace quaver {

// Text for ParseConfusions. Written by `quaver-train noise --fit`.
extern const std::string_view kConfusionRates;

}  // namespace quaver
