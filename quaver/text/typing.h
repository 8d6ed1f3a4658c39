// How likely one text was typed for another: by hand and by ear.
#pragma once

#include <string>
#include <string_view>

namespace quaver {

// Edits from what was typed to what was meant, where those that hands make
// count less than one: a neighbouring key, two letters swapped, a letter
// doubled or not, a space too many or too few, a digit for the letter that it
// looks like. Optimal string alignment over code points, of the first 64 of
// each text; symmetric. REQUIRES: valid UTF-8. O(product of the lengths).
float KeyDistance(std::string_view typed, std::string_view meant);

// A word as English ears write it down: "f" for "ph", "k" for "c", "ck" and
// "q", "r" for "wr", one letter for two, one vowel for each group of them, "h"
// and a final "e" (but after "c" or a "g" alone) not at all. Equal forms sound
// alike; what is not a to z stays. A normalised text in, its spaces stay, valid
// UTF-8 out. O(bytes).
std::string SoundForm(std::string_view normalized);

}  // namespace quaver
