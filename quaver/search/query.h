// A typed query, prepared once for all legs and all comparisons.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quaver/index/grams.h"
#include "quaver/text/edit_distance.h"

namespace quaver {

inline constexpr size_t kMaxQueryWords = 24;  // later ones only embed

// Comparisons are bit-parallel up to 64 characters, quadratic above.
inline constexpr size_t kMaxPatternBytes = 64;

// At most `max_bytes`, whole characters.
std::string CutBytes(std::string_view text, size_t max_bytes);

// A word of the query, or two neighbours typed as one.
struct QueryWord {
  std::string text;
  EditPattern pattern;
  int length;      // code points
  float weight;    // of the word in the query; fillers weigh less
  bool is_filler;  // "song", "podcast", "by"

  explicit QueryWord(std::string word);
};

// Immutable after PrepareQuery. Does not refer to the string it came from.
struct Query {
  std::string raw;         // cut to kMaxQueryBytes, valid UTF-8
  std::string normalized;  // may be empty
  std::string squeezed;    // normalized without spaces
  std::vector<QueryWord> words;
  std::vector<QueryWord> joined;  // words i and i + 1 as one, [words - 1]
  EditPattern whole;              // of the first 64 bytes of normalized
  std::vector<Gram> grams;
  // The last word may be unfinished: nothing was typed after it.
  bool open = false;
};

Query PrepareQuery(std::string_view raw);

}  // namespace quaver
