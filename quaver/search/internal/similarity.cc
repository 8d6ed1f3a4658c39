// See similarity.h.
#include "quaver/search/internal/similarity.h"

namespace quaver {
namespace {

// Less than this is chance: two random English words of six letters share
// more than 30 % of their letters in order less than one time in twenty.
constexpr float kLeastSimilarity = 0.3f;
// A beginning is a little less than the whole word.
constexpr float kPrefixPenalty = 0.03f;

float MostSimilar(int a, int b) {
  return a + b == 0 ? 1 : 2.0f * static_cast<float>(std::min(a, b)) / (a + b);
}

float Similarity(const Query& query, std::string_view text, int both_lengths) {
  if (both_lengths == 0) return 1;
  return 1 - static_cast<float>(query.whole.Indel(text)) / both_lengths;
}

}  // namespace

std::string_view Beginning(std::string_view text, int count) {
  size_t end = 0;
  while (end < text.size() && count > 0) {
    ++end;
    while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;
    --count;
  }
  return text.substr(0, end);
}

float WordSimilarity(const QueryWord& word, std::string_view term, int length,
                     bool open) {
  const int longer = std::max(word.length, length);
  const int shorter = std::min(word.length, length);
  float best = 0;
  // Each letter of difference costs an edit.
  if (static_cast<float>(shorter) >= kLeastSimilarity * longer) {
    best = 1 - static_cast<float>(word.pattern.Osa(term)) / longer;
  }
  if (open && length > word.length) {
    const int edits = word.pattern.Osa(Beginning(term, word.length));
    best = std::max(
        best, 1 - static_cast<float>(edits) / word.length - kPrefixPenalty);
  }
  return best < kLeastSimilarity ? 0 : best;
}

void WholeScore::Compare(const Query& query, std::string_view text,
                         int length) {
  const int typed = query.whole.length();
  // Each letter of difference costs an edit: most texts need no comparison.
  const float most = MostSimilar(typed, length);
  if (most > whole || (length <= typed && most > open)) {
    const float similarity = Similarity(query, text, typed + length);
    whole = std::max(whole, similarity);
    if (length <= typed) open = std::max(open, similarity);
  }
  if (query.open && length > typed && open < 1) {
    open = std::max(open, Similarity(query, Beginning(text, typed), 2 * typed));
  }
}

}  // namespace quaver
