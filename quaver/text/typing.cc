// See typing.h.
#include "quaver/text/typing.h"

#include <algorithm>
#include <array>
#include <utility>

#include "quaver/text/keyboard.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr size_t kMaxCompared = 64;
constexpr float kNearKey = 0.6f;
constexpr float kLooksAlike = 0.5f;
constexpr float kSwap = 0.6f;
constexpr float kDouble = 0.5f;
constexpr float kSpace = 0.5f;

constexpr std::array<std::pair<char32_t, char32_t>, 8> kDigitShapes = {{
    {U'0', U'o'},
    {U'1', U'i'},
    {U'1', U'l'},
    {U'3', U'e'},
    {U'4', U'a'},
    {U'5', U's'},
    {U'7', U't'},
    {U'8', U'b'},
}};

bool LookAlike(char32_t a, char32_t b) {
  return std::any_of(
      kDigitShapes.begin(), kDigitShapes.end(), [&](const auto& pair) {
        return pair == std::pair(a, b) || pair == std::pair(b, a);
      });
}

float ReplaceCost(char32_t a, char32_t b) {
  if (a == b) return 0;
  if (LookAlike(a, b)) return kLooksAlike;
  return NearKeys(a).find(b) != std::u32string_view::npos ? kNearKey : 1;
}

// Of letter i of a text that the other has not.
float ExtraCost(const std::u32string& text, size_t i) {
  if (text[i] == U' ') return kSpace;
  return i > 0 && text[i - 1] == text[i] ? kDouble : 1;
}

std::u32string FirstLetters(std::string_view utf8) {
  std::u32string letters = ToCodePoints(utf8);
  if (letters.size() > kMaxCompared) letters.resize(kMaxCompared);
  return letters;
}

bool IsLetter(char c) { return c >= 'a' && c <= 'z'; }

bool IsVowel(char c) {
  return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' || c == 'y';
}

// What letters at the beginning of `rest` sound like, and how many they are.
struct Sound {
  std::string_view form;
  size_t length;
};

constexpr std::array<std::pair<std::string_view, std::string_view>, 17>
    kLetterGroups = {{
        {"sch", "sk"},
        {"tch", "x"},
        {"ph", "f"},
        {"gh", ""},
        {"ch", "x"},
        {"sh", "x"},
        {"ck", "k"},
        {"kn", "n"},
        {"wr", "r"},
        {"qu", "kw"},
        {"wh", "w"},
        {"mb", "m"},
        {"ce", "sa"},
        {"ci", "sa"},
        {"cy", "sa"},
        {"dg", "j"},
        {"ge", "ja"},
    }};

Sound NextSound(std::string_view rest) {
  for (const auto& [letters, form] : kLetterGroups) {
    if (rest.starts_with(letters)) return {form, letters.size()};
  }
  switch (rest[0]) {
    case 'c':
    case 'q':
      return {"k", 1};
    case 'z':
      return {"s", 1};
    case 'v':
      return {"f", 1};
    case 'x':
      return {"ks", 1};
    case 'h':
      return {"", 1};
    default:
      return IsVowel(rest[0]) ? Sound{"a", 1} : Sound{rest.substr(0, 1), 1};
  }
}

}  // namespace

float KeyDistance(std::string_view typed, std::string_view meant) {
  const std::u32string a = FirstLetters(typed), b = FirstLetters(meant);
  const size_t n = b.size() + 1;
  std::array<float, kMaxCompared + 1> rows[3];
  for (size_t i = 0; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& last = rows[(i + 2) % 3];
    const auto& before = rows[(i + 1) % 3];
    for (size_t j = 0; j < n; ++j) {
      if (i == 0 && j == 0) {
        row[0] = 0;
        continue;
      }
      float cost = 1e9f;
      if (i > 0) cost = std::min(cost, last[j] + ExtraCost(a, i - 1));
      if (j > 0) cost = std::min(cost, row[j - 1] + ExtraCost(b, j - 1));
      if (i > 0 && j > 0) {
        cost = std::min(cost, last[j - 1] + ReplaceCost(a[i - 1], b[j - 1]));
      }
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost = std::min(cost, before[j - 2] + kSwap);
      }
      row[j] = cost;
    }
  }
  return rows[a.size() % 3][n - 1];
}

std::string SoundForm(std::string_view normalized) {
  std::string sound;
  for (size_t i = 0; i < normalized.size();) {
    const bool ends = i + 1 == normalized.size() || normalized[i + 1] == ' ';
    const bool silent = normalized[i] == 'e' && ends && i > 0 &&
                        normalized[i - 1] != ' ' && !IsVowel(normalized[i - 1]);
    const Sound next = silent ? Sound{"", 1} : NextSound(normalized.substr(i));
    for (const char c : next.form) {
      if (!IsLetter(c) || sound.empty() || sound.back() != c) sound += c;
    }
    i += next.length;
  }
  return sound;
}

}  // namespace quaver
