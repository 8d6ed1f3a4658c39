// See query.h.
#include "quaver/search/query.h"

#include <algorithm>
#include <array>
#include <utility>

#include "quaver/search/search_bar.h"
#include "quaver/text/normalize.h"
#include "quaver/text/terms.h"

namespace quaver {
namespace {

// Words that people add to say what kind of thing they want, or that carry
// little: a document without them is no worse a match.
constexpr std::array<std::string_view, 24> kFillers = {
    "a",         "an",    "and",   "audio",    "by",    "feat",
    "featuring", "for",   "ft",    "in",       "live",  "lyric",
    "lyrics",    "music", "of",    "official", "on",    "podcast",
    "remix",     "song",  "songs", "the",      "video", "with"};
constexpr float kFillerWeight = 0.4f;
// n-grams of more than this would make a query of noise cost many times one of
// words; names are no longer.
constexpr size_t kMaxGramBytes = 200;

std::string CutQuery(std::string_view raw) {
  return CleanUtf8(raw.substr(0, kMaxQueryBytes));
}

}  // namespace

std::string CutBytes(std::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes) {
    while (max_bytes > 0 && (text[max_bytes] & 0xC0) == 0x80) --max_bytes;
    text = text.substr(0, max_bytes);
  }
  return std::string(text);
}

QueryWord::QueryWord(std::string word)
    : text(std::move(word)),
      pattern(text),
      length(pattern.length()),
      weight(static_cast<float>(length)),
      is_filler(std::find(kFillers.begin(), kFillers.end(), text) !=
                kFillers.end()) {
  if (is_filler) weight *= kFillerWeight;
}

Query PrepareQuery(std::string_view raw) {
  std::string cut = CutQuery(raw);
  std::string normalized = Normalize(cut);
  std::string squeezed = Squeeze(normalized);
  EditPattern whole(CutBytes(normalized, kMaxPatternBytes));
  Query query{.raw = std::move(cut),
              .normalized = std::move(normalized),
              .squeezed = std::move(squeezed),
              .words = {},
              .joined = {},
              .whole = std::move(whole),
              .grams = {},
              .open = !raw.empty() && raw.back() != ' '};
  for (const std::string_view word : SplitWords(query.normalized)) {
    if (query.words.size() == kMaxQueryWords) break;
    query.words.emplace_back(CutBytes(word, kMaxPatternBytes));
  }
  for (size_t i = 1; i < query.words.size(); ++i) {
    query.joined.emplace_back(CutBytes(
        query.words[i - 1].text + query.words[i].text, kMaxPatternBytes));
  }
  ExtractGrams(CutBytes(query.normalized, kMaxGramBytes), query.grams);
  return query;
}

}  // namespace quaver
