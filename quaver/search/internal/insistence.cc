// See insistence.h.
#include "quaver/search/internal/insistence.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include <fmt/ranges.h>

#include "quaver/search/query.h"
#include "quaver/text/compare.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr std::string_view kSigns = "$!@*+#%=|<>^~";
constexpr std::string_view kVowels = "AEIOUY";
// Of a name with signs, and documents whose spelling of it is compared.
constexpr size_t kMaxNameWords = 5;
constexpr size_t kMaxSpellings = 8;

bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsLetter(char c) {
  return IsUpper(c) || IsLower(c) || (c >= '0' && c <= '9') || (c & 0x80) != 0;
}

bool HasSignInside(std::string_view word) {
  for (size_t i = 1; i + 1 < word.size(); ++i) {
    if (kSigns.find(word[i]) != std::string_view::npos &&
        IsLetter(word[i - 1]) && IsLetter(word[i + 1])) {
      return true;
    }
  }
  return word.ends_with("))");
}

bool IsCapitals(std::string_view word) {
  return std::count_if(word.begin(), word.end(), IsUpper) >= 3 &&
         std::none_of(word.begin(), word.end(), IsLower);
}

// One vowel or none: no English word, or hardly.
bool LacksVowels(std::string_view word) {
  const auto vowels = std::count_if(word.begin(), word.end(), [](char c) {
    return kVowels.find(c) != std::string_view::npos;
  });
  return 6 * vowels < static_cast<std::ptrdiff_t>(word.size());
}

bool HasDigit(std::string_view word) {
  return std::any_of(word.begin(), word.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

// As whole words.
bool Contains(std::string_view text, std::string_view phrase) {
  return (" " + std::string(text) + " ")
             .find(" " + std::string(phrase) + " ") != std::string::npos;
}

// Straight and typographic double quotes, as one character.
std::string PlainQuotes(std::string_view raw) {
  std::string plain(raw);
  for (const std::string_view quote : {"“", "”", "„", "«", "»"}) {
    for (size_t at; (at = plain.find(quote)) != std::string::npos;) {
      plain.replace(at, quote.size(), "\"");
    }
  }
  return plain;
}

// Some sign beside letters, but for quotes and apostrophes.
bool HasSign(std::string_view word) {
  return std::any_of(word.begin(), word.end(), IsLetter) &&
         std::any_of(word.begin(), word.end(), [](char c) {
           return !IsLetter(c) && c != '"' && c != '\'';
         });
}

// "O)))": brackets behind a word that nothing opens. "(remix (live))" has none.
bool HasBracketsBehind(std::string_view word) {
  return std::any_of(word.begin(), word.end(), IsLetter) &&
         std::count(word.begin(), word.end(), ')') >=
             2 + std::count(word.begin(), word.end(), '(');
}

std::string Join(std::span<const std::string_view> words) {
  return fmt::format("{}", fmt::join(words, " "));
}

// Whether a title or an artist of the first few documents that have the name is
// written as `lower` is, but for case.
bool IsWrittenSo(const Segment& segment, uint32_t name,
                 const std::string& lower) {
  const LexicalIndex& lexical = segment.lexical();
  const auto first = [](std::span<const uint32_t> docs) {
    return docs.first(std::min(docs.size(), kMaxSpellings));
  };
  for (const uint32_t doc : first(lexical.title_docs(name))) {
    if (LowerCase(segment.document(doc).title) == lower) return true;
  }
  for (const uint32_t doc : first(lexical.artist_docs(name))) {
    if (LowerCase(segment.document(doc).artist) == lower) return true;
  }
  return false;
}

bool HasName(const Snapshot& snapshot, const std::string& written) {
  const std::string normal = Normalize(written), lower = LowerCase(written);
  return std::any_of(
      snapshot.segments.begin(), snapshot.segments.end(),
      [&](const SnapshotSegment& part) {
        const LexicalIndex& lexical = part.segment->lexical();
        const IdRange names = lexical.NamePrefix(normal);  // itself first
        return names.size() > 0 && lexical.name(names.begin) == normal &&
               IsWrittenSo(*part.segment, names.begin, lower);
      });
}

}  // namespace

Insistence::Insistence(std::string_view raw, const Snapshot& snapshot)
    : normalized_(Normalize(raw)) {
  FixQuoted(raw);
  const std::vector<std::string_view> words = SplitWords(raw);
  FixNames(words, snapshot);
  FixBracketed(words);
  const bool all_capitals = std::none_of(raw.begin(), raw.end(), IsLower);
  for (const std::string_view word : words) {
    const bool capitals =
        IsCapitals(word) &&
        (!all_capitals || LacksVowels(word) || HasDigit(word));
    const bool is_stopped = words.size() == 1 && word.ends_with('.');
    if (!capitals && !is_stopped && !HasSignInside(word)) continue;
    std::string normal = Normalize(word);
    if (!normal.empty()) stylised_.push_back(std::move(normal));
  }
}

void Insistence::FixQuoted(std::string_view raw) {
  const std::string plain = PlainQuotes(raw);
  for (size_t begin = plain.find('"'); begin != std::string::npos;) {
    const size_t end = plain.find('"', begin + 1);
    if (end == std::string::npos) break;
    Fix(std::string_view(plain).substr(begin + 1, end - begin - 1));
    begin = plain.find('"', end + 1);
  }
}

void Insistence::FixNames(const std::vector<std::string_view>& words,
                          const Snapshot& snapshot) {
  const size_t n = std::min(words.size(), kMaxQueryWords);
  for (size_t begin = 0; begin < n; ++begin) {
    bool has_sign = false;
    for (size_t end = begin; end < std::min(n, begin + kMaxNameWords); ++end) {
      has_sign = has_sign || HasSign(words[end]);
      if (!has_sign) continue;
      const std::string written =
          Join(std::span(words).subspan(begin, end + 1 - begin));
      if (HasName(snapshot, written)) Fix(written);
    }
  }
}

void Insistence::FixBracketed(const std::vector<std::string_view>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    if (!HasBracketsBehind(words[i])) continue;
    const size_t first = i > 0 ? i - 1 : i;
    Fix(Join(std::span(words).subspan(first, i + 1 - first)));
  }
}

// Signs alone are not in the normal form of a query that has words, too.
void Insistence::Fix(std::string_view phrase) {
  std::string normal = Normalize(phrase);
  if (!normal.empty() && Contains(normalized_, normal)) {
    fixed_.push_back(std::move(normal));
  }
}

bool Insistence::IsFixed(std::string_view word) const {
  return std::any_of(fixed_.begin(), fixed_.end(), [&](const auto& phrase) {
    return Contains(phrase, word);
  });
}

bool Insistence::Allows(std::string_view text) const {
  return std::all_of(fixed_.begin(), fixed_.end(), [&](const auto& phrase) {
    return Contains(text, phrase);
  });
}

bool Insistence::Doubts(std::string_view text) const {
  return !std::all_of(stylised_.begin(), stylised_.end(),
                      [&](const auto& word) { return Contains(text, word); });
}

}  // namespace quaver
