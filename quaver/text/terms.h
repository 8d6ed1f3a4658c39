// Other spellings under which a name should be found.
#pragma once

#include <string>
#include <string_view>

namespace quaver {

// A normalised text without its spaces: what joins "day dream" and
// "daydream". O(bytes).
std::string Squeeze(std::string_view normalized);

// The normal form of a raw text with signs that stand for letters read as
// letters, in words that mix them with letters: "Ke$ha" gives "kesha", "P!nk"
// "pink", "deadmau5" "deadmaus", "6LACK" "black", "KoЯn" "korn". Numbers stay:
// "U2", "MP3", "Blink-182", "80s". Empty when that equals Normalize(text).
// A second name to index beside the first; not a form to compare in. O(bytes).
std::string Unstyle(std::string_view text);

// What forms of an English word have in common: "song" of "songs", "danc" of
// "dance", "dances", "danced" and "dancing", "stori" of "story" and "stories",
// "run" of "running" (the plural and verb endings of Porter 1980, step 1, and a
// final e). A normalised word in, not always a word out; words of other
// languages may lose an ending, too. O(bytes).
std::string LightStem(std::string_view word);

}  // namespace quaver
