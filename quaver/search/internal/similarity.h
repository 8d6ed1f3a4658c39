// How near a query is to a word and to a whole name.
#pragma once

#include <algorithm>
#include <string_view>

#include "quaver/search/query.h"

namespace quaver {

// The first `count` code points.
std::string_view Beginning(std::string_view text, int count);

// From 0 to 1 by edits (OSA) for each letter of the longer one; `length` is the
// term's in code points. With `open`, the term may go on after the typed word,
// at a small cost. What chance could give is 0.
float WordSimilarity(const QueryWord& word, std::string_view term, int length,
                     bool open);

// The text's similarity with the query, and that of its beginning.
struct WholeScore {
  float whole = 0;
  float open = 0;

  // Raises both by what `text`, of `length` code points, gives.
  void Compare(const Query& query, std::string_view text, int length);
};

// The words of a normalised name one by one; empty at the end.
class WordReader {
 public:
  explicit WordReader(std::string_view name) : rest_(name) {}
  std::string_view Next() {
    const size_t end = std::min(rest_.find(' '), rest_.size());
    const std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return word;
  }

 private:
  std::string_view rest_;
};

}  // namespace quaver
