// Signs that stand for letters.
#include "quaver/text/terms.h"

#include <algorithm>

#include "quaver/text/normalize.h"

namespace quaver {
namespace {

bool IsLetter(char32_t c) {
  return (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z');
}
bool IsDigit(char32_t c) { return c >= U'0' && c <= U'9'; }

// What a digit looks like inside a word, or 0.
char32_t DigitLetter(char32_t c) {
  switch (c) {
    case U'0':
      return U'o';
    case U'1':
      return U'i';
    case U'3':
      return U'e';
    case U'4':
      return U'a';
    case U'5':
      return U's';
    default:
      return 0;
  }
}

// Letters of other scripts drawn for Latin ones, in otherwise Latin words.
char32_t ForeignLetter(char32_t c) {
  switch (c) {
    case U'\u0394':  // Greek Delta, and the mathematical increment
    case U'\u2206':
    case U'\u039B':  // Greek Lambda
    case U'\u03BB':
      return U'a';
    case U'\u039E':  // Greek Xi
    case U'\u03A3':  // Greek Sigma
      return U'e';
    case U'\u0418':  // Cyrillic I
      return U'n';
    case U'\u042F':  // Cyrillic Ya
      return U'r';
    default:
      return 0;
  }
}

// One word of the raw text.
class Word {
 public:
  explicit Word(std::u32string_view text) : text_(text) {}

  // With the letters that its signs stand for.
  std::u32string Rewritten() const {
    std::u32string result(text_);
    if (!std::any_of(text_.begin(), text_.end(), IsLetter)) return result;
    for (size_t i = 0; i < text_.size(); ++i) {
      if (const char32_t letter = LetterAt(i)) result[i] = letter;
    }
    return result;
  }

 private:
  char32_t At(size_t i) const { return i < text_.size() ? text_[i] : U' '; }

  // The letter that the sign at `i` stands for, or 0.
  char32_t LetterAt(size_t i) const {
    const bool letter_follows = IsLetter(At(i + 1));
    const bool letter_precedes = i > 0 && IsLetter(text_[i - 1]);
    switch (text_[i]) {
      case U'$':
        return letter_follows || letter_precedes || At(i + 1) == U'$' ||
                       (i > 0 && text_[i - 1] == U'$')
                   ? U's'
                   : 0;
      case U'!':
        return letter_follows && (letter_precedes || i == 0) ? U'i' : 0;
      case U'@':
        return letter_follows && letter_precedes ? U'a' : 0;
      default:
        return IsDigit(text_[i]) ? DigitAt(i) : ForeignLetter(text_[i]);
    }
  }

  // Digits count as letters between letters, one or the same one repeated;
  // and alone after four letters or more, which spares ordinals, decades and
  // sizes. Before letters 3 and 4 are numbers and words (4ever).
  char32_t DigitAt(size_t i) const {
    size_t begin = i, end = i + 1;
    while (begin > 0 && text_[begin - 1] == text_[i]) --begin;
    while (At(end) == text_[i]) ++end;
    const size_t before = LettersBefore(begin), after = LettersAfter(end);
    if (before > 0 && after > 0) return DigitLetter(text_[i]);
    if (end - begin > 1) return 0;
    if (before >= 4 && !IsDigit(At(end))) return DigitLetter(text_[i]);
    if (after < 4 || (begin > 0 && IsDigit(text_[begin - 1]))) return 0;
    return text_[i] == U'6' ? U'b' : text_[i] == U'0' ? U'o' : 0;
  }

  size_t LettersBefore(size_t end) const {
    size_t count = 0;
    while (count < 4 && count < end && IsLetter(text_[end - 1 - count])) {
      ++count;
    }
    return count;
  }

  size_t LettersAfter(size_t begin) const {
    size_t count = 0;
    while (count < 4 && IsLetter(At(begin + count))) ++count;
    return count;
  }

  std::u32string_view text_;
};

// Whether there is anything that Unstyle could read as a letter.
bool MayBeStyled(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char byte) {
    return byte == '$' || byte == '!' || byte == '@' || (byte & 0x80) ||
           (byte >= '0' && byte <= '6');
  });
}

}  // namespace

std::string Squeeze(std::string_view normalized) {
  std::string result(normalized);
  std::erase(result, ' ');
  return result;
}

std::string Unstyle(std::string_view text) {
  if (!MayBeStyled(text)) return {};
  const std::u32string code_points = ToCodePoints(text);
  std::u32string rewritten;
  for (size_t begin = 0; begin < code_points.size();) {
    size_t end = code_points.find(U' ', begin);
    if (end == std::u32string::npos) end = code_points.size();
    const std::u32string_view all = code_points;
    rewritten += Word(all.substr(begin, end - begin)).Rewritten();
    rewritten += U' ';
    begin = end + 1;
  }
  rewritten.pop_back();
  if (rewritten == code_points) return {};
  std::string result = Normalize(ToUtf8(rewritten));
  if (result == Normalize(text)) return {};
  return result;
}

std::string LightStem(std::string_view word) {
  const auto ends = [&](std::string_view suffix) {
    return word.size() >= suffix.size() + 3 && word.ends_with(suffix);
  };
  const auto cut = [&](size_t count) { word.remove_suffix(count); };
  bool verb = false;
  if (ends("ies") || ends("ied")) {
    cut(2);
  } else if (ends("ings")) {
    cut(4), verb = true;
  } else if (ends("ing")) {
    cut(3), verb = true;
  } else if (ends("ed")) {
    cut(2), verb = true;
  } else if (ends("es")) {
    cut(2);
  } else if (ends("s") && !word.ends_with("ss") && !word.ends_with("us")) {
    cut(1);
  }
  const size_t size = word.size();
  // "running", but "telling" and "missed" keep what "tell" and "miss" have.
  const bool twice =
      verb && size >= 4 && word[size - 1] == word[size - 2] &&
      std::string_view("lsz").find(word[size - 1]) == std::string_view::npos;
  if (twice || ends("e")) cut(1);
  std::string stem(word);
  if (stem.size() >= 4 && stem.back() == 'y') stem.back() = 'i';
  return stem;
}

}  // namespace quaver
