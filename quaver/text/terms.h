// Other spellings under which a name should be found.
#pragma once

#include <string>
#include <string_view>

namespace quaver {

// A normalised text without its spaces: what joins "day dream" and
// "daydream". O(bytes).
std::string Squeeze(std::string_view normalized);

// What forms of an English word have in common: "song" of "songs", "danc" of
// "dance", "dances", "danced" and "dancing", "stori" of "story" and "stories",
// "run" of "running" (the plural and verb endings of Porter 1980, step 1, and a
// final e). A normalised word in, not always a word out; words of other
// languages may lose an ending, too. O(bytes).
std::string LightStem(std::string_view word);

}  // namespace quaver
