// See near_terms.h.
#include "quaver/index/near_terms.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace quaver {
namespace {

constexpr size_t kMaxWord = 64;

// Rows of the alignment of a word (across) with a term (down), kept for the
// beginning that the next term shares with the last.
class Walk {
 public:
  Walk(std::string_view word, int max_edits)
      : word_(word), max_edits_(max_edits) {
    rows_.resize(kMaxWord + static_cast<size_t>(max_edits) + 1);
    for (size_t j = 0; j <= word.size(); ++j) {
      rows_[0][j] = static_cast<uint8_t>(std::min<size_t>(j, kFar));
    }
  }

  // Aligns a term's bytes from `known` on. Returns the length of the beginning
  // that is too far already, or 0 when none is.
  size_t Read(std::string_view term, size_t known) {
    for (size_t i = known; i < term.size(); ++i) {
      if (i + 1 >= rows_.size() || ReadByte(term, i) > max_edits_) return i + 1;
    }
    return 0;
  }
  int Edits(size_t length) const { return rows_[length][word_.size()]; }

 private:
  static constexpr uint8_t kFar = 100;

  // The least of the row.
  int ReadByte(std::string_view term, size_t i) {
    const auto& last = rows_[i];
    auto& row = rows_[i + 1];
    row[0] = static_cast<uint8_t>(std::min<size_t>(i + 1, kFar));
    uint8_t least = row[0];
    for (size_t j = 0; j < word_.size(); ++j) {
      const int same = term[i] == word_[j] ? 0 : 1;
      int edits = std::min({last[j] + same, last[j + 1] + 1, row[j] + 1});
      if (i > 0 && j > 0 && term[i] == word_[j - 1] &&
          term[i - 1] == word_[j]) {
        edits = std::min(edits, rows_[i - 1][j - 1] + 1);
      }
      row[j + 1] = static_cast<uint8_t>(edits);
      least = std::min(least, row[j + 1]);
    }
    return least;
  }

  std::string_view word_;
  int max_edits_;
  std::vector<std::array<uint8_t, kMaxWord + 1>> rows_;
};

size_t SharedBeginning(std::string_view a, std::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  size_t shared = 0;
  while (shared < most && a[shared] == b[shared]) ++shared;
  return shared;
}

// The first term after `term` that does not begin with its first `length`
// bytes: mostly near, so steps double.
uint32_t AfterBeginning(const LexicalIndex& lexical, uint32_t term,
                        size_t length) {
  const std::string_view beginning = lexical.term(term).substr(0, length);
  uint32_t low = term, step = 1;  // low begins so
  while (low + step < lexical.num_terms() &&
         lexical.term(low + step).starts_with(beginning)) {
    low += step;
    step *= 2;
  }
  uint32_t high = std::min(low + step, lexical.num_terms());
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    (lexical.term(middle).starts_with(beginning) ? low : high) = middle;
  }
  return high;
}

}  // namespace

std::vector<NearTerm> NearTerms(const LexicalIndex& lexical,
                                std::string_view word, int max_edits) {
  std::vector<NearTerm> near;
  if (word.empty() || word.size() > kMaxWord) return near;
  Walk walk(word, max_edits);
  std::string_view last;
  size_t read = 0;  // bytes of `last` that have rows
  for (uint32_t term = 0; term < lexical.num_terms();) {
    const std::string_view text = lexical.term(term);
    const size_t known = std::min(SharedBeginning(last, text), read);
    const size_t too_far = walk.Read(text, known);
    last = text;
    read = too_far > 0 ? too_far - 1 : text.size();
    if (too_far > 0) {
      term = AfterBeginning(lexical, term, too_far);
      continue;
    }
    if (walk.Edits(text.size()) <= max_edits) {
      near.push_back({term, walk.Edits(text.size())});
    }
    ++term;
  }
  return near;
}

}  // namespace quaver
