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


std::string CutQuery(std::string_view raw) {
  return CleanUtf8(raw.substr(0, kMaxQueryBytes));
}

}  // namespace

QueryWord::QueryWord(std::string word)
    : text(std::move(word)),
      pattern(text),
      length(pattern.length()),
      weight(static_cast<float>(length)) {
  if (std::find(kFillers.begin(), kFillers.end(), text) != kFillers.end()) {
    weight *= kFillerWeight;
  }
}

Query PrepareQuery(std::string_view raw) {
  std::string cut = CutQuery(raw);
  std::string normalized = Normalize(cut);
  std::string squeezed = Squeeze(normalized);
  EditPattern whole(normalized);
  EditPattern whole_squeezed(squeezed);
  Query query{.raw = std::move(cut),
              .normalized = std::move(normalized),
              .squeezed = std::move(squeezed),
              .words = {},
              .joined = {},
              .whole = std::move(whole),
              .whole_squeezed = std::move(whole_squeezed),
              .grams = {},
              .open = !raw.empty() && raw.back() != ' '};
  for (const std::string_view word : SplitWords(query.normalized)) {
    if (query.words.size() == kMaxQueryWords) break;
    query.words.emplace_back(std::string(word));
  }
  for (size_t i = 1; i < query.words.size(); ++i) {
    query.joined.emplace_back(query.words[i - 1].text + query.words[i].text);
  }
  ExtractGrams(query.normalized, query.grams);
  return query;
}

}  // namespace quaver
