// Terms of the index that are a few edits from a word.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "quaver/index/lexical.h"

namespace quaver {

inline constexpr int kMaxNearEdits = 2;

struct NearTerm {
  uint32_t term = 0;
  int edits = 0;
};

// Every term within `max_edits` of the word, the word itself included, by term:
// optimal string alignment over bytes (an edit of a letter beyond ASCII may
// count twice), of words of at most 64 bytes, none for longer ones. Walks the
// terms in byte order with one row of the alignment a byte, and steps over all
// terms with a beginning that is too far already. REQUIRES: 0 <= max_edits <=
// kMaxNearEdits.
std::vector<NearTerm> NearTerms(const LexicalIndex& lexical,
                                std::string_view word, int max_edits);

}  // namespace quaver
