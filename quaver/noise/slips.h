// Slips of the hand: what a keyboard does to a text.
#pragma once

#include <string>

#include "quaver/base/hash.h"
#include "quaver/noise/noise.h"

namespace quaver {

// One slip; the text itself when the kind that was drawn finds no place.
std::u32string OneSlip(const std::u32string& text, const NoiseConfig& config,
                       Random& random);

}  // namespace quaver
