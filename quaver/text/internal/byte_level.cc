// See byte_level.h.
#include "quaver/text/internal/byte_level.h"

#include <algorithm>
#include <span>

#include <unicode/uchar.h>

#include "quaver/text/internal/utf8.h"

namespace quaver {
namespace {

enum class Kind { kSpace, kLetter, kNumber, kOther };

struct Range {
  char32_t first, last;
};
// Letters and numbers of Unicode 15.1 and 16, which tokenizers knows and the
// ICU at hand may not.
constexpr Range kNewLetters[] = {
    {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},
    {0x105C0, 0x105F3}, {0x10D4A, 0x10D65}, {0x10D6F, 0x10D85},
    {0x10EC2, 0x10EC4}, {0x11380, 0x11389}, {0x1138B, 0x1138B},
    {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113B7},
    {0x113D1, 0x113D1}, {0x113D3, 0x113D3}, {0x11BC0, 0x11BE0},
    {0x13460, 0x143FA}, {0x16100, 0x1611D}, {0x16D40, 0x16D6C},
    {0x18CFF, 0x18CFF}, {0x1E5D0, 0x1E5ED}, {0x1E5F0, 0x1E5F0},
    {0x2EBF0, 0x2EE5D}};
constexpr Range kNewNumbers[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3},
                                 {0x11BF0, 0x11BF9}, {0x16130, 0x16139},
                                 {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9},
                                 {0x1E5F1, 0x1E5FA}};

bool IsIn(std::span<const Range> ranges, char32_t c) {
  return std::any_of(ranges.begin(), ranges.end(), [c](const Range& range) {
    return c >= range.first && c <= range.last;
  });
}

Kind KindOf(char32_t c) {
  if (c < 0x80) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::kLetter;
    if (c >= '0' && c <= '9') return Kind::kNumber;
    return IsSpace(c) ? Kind::kSpace : Kind::kOther;
  }
  const auto point = static_cast<UChar32>(c);
  if (U_GET_GC_MASK(point) & U_GC_L_MASK) return Kind::kLetter;
  if (U_GET_GC_MASK(point) & U_GC_N_MASK) return Kind::kNumber;
  if (IsSpace(c)) return Kind::kSpace;
  if (u_charType(point) != U_UNASSIGNED) return Kind::kOther;
  if (IsIn(kNewLetters, c)) return Kind::kLetter;
  return IsIn(kNewNumbers, c) ? Kind::kNumber : Kind::kOther;
}

// Where the run of `kind` that begins at `at` ends; `last` is where its last
// character begins.
size_t RunEnd(std::string_view text, size_t at, Kind kind,
              size_t* last = nullptr) {
  while (at < text.size()) {
    size_t next = at;
    if (KindOf(NextCodePoint(text, &next)) != kind) break;
    if (last != nullptr) *last = at;
    at = next;
  }
  return at;
}

}  // namespace

bool IsSpace(char32_t c) {
  return u_isUWhiteSpace(static_cast<UChar32>(c)) != 0;
}

size_t ByteLevelWordEnd(std::string_view text, size_t begin) {
  const std::string_view rest = text.substr(begin);
  for (const std::string_view ending :
       {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    if (rest.starts_with(ending)) return begin + ending.size();
  }
  // A space belongs to the word after it.
  const size_t at = rest[0] == ' ' && rest.size() > 1 ? begin + 1 : begin;
  size_t next = at;
  const Kind kind = KindOf(NextCodePoint(text, &next));
  if (kind != Kind::kSpace) return RunEnd(text, at, kind);
  size_t last = begin;
  const size_t end = RunEnd(text, begin, Kind::kSpace, &last);
  return end == text.size() || last == begin ? end : last;
}

}  // namespace quaver
