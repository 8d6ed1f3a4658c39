// See near_terms.h.
#include "quaver/index/near_terms.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "quaver/base/check.h"

namespace quaver {
namespace {

constexpr size_t kMaxWord = 64;

// Bit j - 1 of matched[d]: the first j bytes of the word are within d edits of
// what was read.
using Row = std::array<uint64_t, kMaxNearEdits + 1>;

// A row for each byte of a term, kept for the beginning that the next term
// shares with the last. All of a row's cells are computed together (Wu and
// Manber 1992, "Fast Text Searching Allowing Errors", with swaps).
class Walk {
 public:
  Walk(std::string_view word, int max_edits)
      : max_edits_(max_edits),
        last_bit_(word.size() - 1),
        word_bits_(~uint64_t{0} >> (63 - last_bit_)) {
    rows_.resize(kMaxWord + static_cast<size_t>(max_edits) + 1);
    for (size_t j = 0; j < word.size(); ++j) {
      masks_[static_cast<unsigned char>(word[j])] |= uint64_t{1} << j;
    }
    // Nothing is read: a word's beginning is as far as it is long.
    for (int d = 0; d <= max_edits; ++d) {
      rows_[0][d] = (uint64_t{1} << d) - 1;
    }
  }

  // Aligns a term's bytes from `known` on. Returns the length of the beginning
  // that is too far already, or 0 when none is.
  size_t Read(std::string_view term, size_t known) {
    for (size_t i = known; i < term.size(); ++i) {
      if (i + 1 >= rows_.size() || !ReadByte(term, i)) return i + 1;
    }
    return 0;
  }
  // Of a term of that length that was read; above max_edits where it is far.
  int Edits(size_t length) const {
    int edits = 0;
    while (edits <= max_edits_ && !(rows_[length][edits] >> last_bit_ & 1)) {
      ++edits;
    }
    return edits;
  }

 private:
  // With one more byte of the word; none of it is `read` edits from what was
  // read.
  static uint64_t Next(uint64_t matched, size_t read, int edits) {
    return matched << 1 | (read <= static_cast<size_t>(edits) ? 1 : 0);
  }
  uint64_t Mask(char byte) const {
    return masks_[static_cast<unsigned char>(byte)];
  }

  // Whether a beginning of the word is still near.
  bool ReadByte(std::string_view term, size_t i) {
    const Row& last = rows_[i];
    Row& row = rows_[i + 1];
    const uint64_t same = Mask(term[i]);
    const uint64_t before = i > 0 ? Mask(term[i - 1]) : 0;
    row[0] = Next(last[0], i, 0) & same;
    for (int d = 1; d <= max_edits_; ++d) {
      uint64_t matched = (Next(last[d], i, d) & same) | last[d - 1] |
                         Next(last[d - 1], i, d - 1) |
                         Next(row[d - 1], i + 1, d - 1);
      if (i > 0) {
        const uint64_t second = Next(rows_[i - 1][d - 1], i - 1, d - 1) & same;
        matched |= second << 1 & before;
      }
      row[d] = matched;
    }
    return (row[max_edits_] & word_bits_) != 0 ||
           i < static_cast<size_t>(max_edits_);
  }

  const int max_edits_;
  const size_t last_bit_;
  const uint64_t word_bits_;
  std::array<uint64_t, 256> masks_ = {};
  std::vector<Row> rows_;
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
  QUAVER_CHECK(max_edits <= kMaxNearEdits);
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
