// Terms of the index that sound like a word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "quaver/index/lexical.h"

namespace quaver {

// Terms by SoundForm (typing.h). Immutable, thread-safe; 8 bytes a term.
class SoundTerms {
 public:
  // Of all terms of two sounds or more. O(bytes + terms log terms). `lexical`
  // must outlive it.
  explicit SoundTerms(const LexicalIndex& lexical);

  // Terms that sound like the word, itself included, those of most documents
  // first, at most `limit`. O(log terms + limit).
  std::vector<uint32_t> Alike(std::string_view word, size_t limit) const;

 private:
  struct Entry {
    uint32_t sound;  // its hash
    uint32_t term;
  };

  const LexicalIndex& lexical_;
  std::vector<Entry> entries_;  // by sound, then by falling documents
};

}  // namespace quaver
