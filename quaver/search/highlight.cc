// See highlight.h.
#include "quaver/search/highlight.h"

#include <algorithm>
#include <string>

#include "quaver/text/normalize.h"

namespace quaver {
namespace {

// Alike enough that a person sees why it was found.
constexpr double kAlike = 0.7;

// Bytes of the normalised word that the query matched, from its start; 0: none.
size_t MatchedBytes(const Query& query, std::string_view word) {
  size_t matched = 0;
  for (size_t i = 0; i < query.words.size(); ++i) {
    const QueryWord& typed = query.words[i];
    const bool last = query.open && i + 1 == query.words.size();
    if (last && word.starts_with(typed.text)) {
      matched = std::max(matched, typed.text.size());
    } else if (OsaSimilarity(typed.pattern, word) >= kAlike) {
      matched = word.size();
    }
  }
  for (const QueryWord& joined : query.joined) {
    if (joined.text == word) matched = word.size();
  }
  return matched;
}

}  // namespace

void AddHighlights(const Query& query, std::string_view field,
                   std::string_view text, std::vector<Highlight>& highlights) {
  if (query.words.empty() || text.empty()) return;
  const NormalizedText normalized = NormalizeWithSource(text);
  for (const std::string_view word : SplitWords(normalized.text)) {
    const size_t matched = MatchedBytes(query, word);
    if (matched == 0) continue;
    const auto begin =
        static_cast<size_t>(word.data() - normalized.text.data());
    const uint32_t first = normalized.source[begin];
    // The end of the last matched character, not of what follows it.
    uint32_t last = normalized.source[begin + matched - 1] + 1;
    while (last < text.size() && (text[last] & 0xC0) == 0x80) ++last;
    if (!highlights.empty() && highlights.back().field == field &&
        highlights.back().end >= first) {
      highlights.back().end = std::max(highlights.back().end, last);
    } else {
      highlights.push_back({std::string(field), first, last});
    }
  }
}

}  // namespace quaver
