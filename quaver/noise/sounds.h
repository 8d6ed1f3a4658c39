// Misspellings by ear: letters that sound alike, doubles, message shorthand.
#pragma once

#include <string>

#include "quaver/base/hash.h"
#include "quaver/noise/noise.h"

namespace quaver {

// One misspelling; the text itself when the kind that was drawn finds none.
std::u32string OneSound(const std::u32string& text, const NoiseConfig& config,
                        Random& random);

}  // namespace quaver
