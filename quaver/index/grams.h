// Character n-grams of words: what survives a misspelling.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace quaver {

// One to three code points, 21 bits each.
using Gram = uint64_t;

// Appends the distinct 2- and 3-grams of each word of a normalised text, in
// rising order; a word is padded by one space on either side, so that its
// first and last letters weigh more. REQUIRES: `grams` is empty. O(g log g).
void ExtractGrams(std::string_view normalized, std::vector<Gram>& grams);

}  // namespace quaver
