// Terms of the index that are a few edits from a word.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "quaver/index/lexical.h"

namespace quaver {

struct NearTerm {
  uint32_t term = 0;
  int edits = 0;
};

// Every term within `max_edits` of the word, the word itself included, by term:
// optimal string alignment over bytes (an edit of a letter beyond ASCII may
// count twice), of words of at most 64 bytes, none for longer ones. Walks the
// terms in byte order with one row of the alignment a byte, and steps over all
// terms with a beginning that is too far already. Costs about 0.1 ms for one
// edit and 200,000 terms, some ten times as much for two.
std::vector<NearTerm> NearTerms(const LexicalIndex& lexical,
                                std::string_view word, int max_edits);

}  // namespace quaver
