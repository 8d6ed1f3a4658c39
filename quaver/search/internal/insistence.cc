// See insistence.h.
#include "quaver/search/internal/insistence.h"

#include <algorithm>
#include <cstddef>

#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr std::string_view kSigns = "$!@*+#%=|<>^~";
constexpr std::string_view kVowels = "AEIOUY";

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

}  // namespace

Insistence::Insistence(std::string_view raw) {
  const std::string plain = PlainQuotes(raw);
  for (size_t begin = plain.find('"'); begin != std::string::npos;) {
    const size_t end = plain.find('"', begin + 1);
    if (end == std::string::npos) break;
    std::string phrase =
        Normalize(std::string_view(plain).substr(begin + 1, end - begin - 1));
    if (!phrase.empty()) quoted_.push_back(std::move(phrase));
    begin = plain.find('"', end + 1);
  }
  const bool all_capitals = std::none_of(raw.begin(), raw.end(), IsLower);
  for (const std::string_view word : SplitWords(raw)) {
    const bool capitals =
        IsCapitals(word) && (!all_capitals || LacksVowels(word));
    if (!capitals && !HasSignInside(word)) continue;
    std::string normal = Normalize(word);
    if (!normal.empty()) stylised_.push_back(std::move(normal));
  }
}

bool Insistence::IsQuoted(std::string_view word) const {
  return std::any_of(quoted_.begin(), quoted_.end(), [&](const auto& phrase) {
    return Contains(phrase, word);
  });
}

bool Insistence::Allows(std::string_view text) const {
  return std::all_of(quoted_.begin(), quoted_.end(), [&](const auto& phrase) {
    return Contains(text, phrase);
  });
}

bool Insistence::Doubts(std::string_view text) const {
  return !std::all_of(stylised_.begin(), stylised_.end(),
                      [&](const auto& word) { return Contains(text, word); });
}

}  // namespace quaver
