// Properties of code points as the crate `tokenizers` sees them.
#include "quaver/text/internal/bert_normalizer.h"

#include <algorithm>

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "quaver/base/check.h"

namespace quaver {
namespace {

// The version of Unicode that first had the code point.
int Age(char32_t c) {
  UVersionInfo version;
  u_charAge(static_cast<UChar32>(c), version);
  return version[0];
}

// Whether the crate unicode_categories, of Unicode 8, can know it.
bool HasCategory(char32_t c) { return Age(c) <= 8; }

uint32_t CategoryMask(char32_t c) {
  return U_GET_GC_MASK(static_cast<UChar32>(c));
}

// Cc, Cf and Co; the crate does not count what is unassigned.
bool IsControl(char32_t c) {
  constexpr uint32_t kControl = U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK;
  if (c == U'\t' || c == U'\n' || c == U'\r') return false;
  return (CategoryMask(c) & kControl) && HasCategory(c);
}

bool IsWhitespace(char32_t c) {
  return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_WHITE_SPACE);
}

// Mn of Unicode 8. These five have changed category since.
bool IsNonspacingMark(char32_t c) {
  if (c == 0x1734) return true;
  if (c == 0x1885 || c == 0x1886 || c == 0xA9BD || c == 0x111C9) return false;
  return (CategoryMask(c) & U_GC_MN_MASK) && HasCategory(c);
}

// ASCII's punctuation, and P* of Unicode 8; two have changed since.
bool IsPunctuation(char32_t c) {
  if (c < 0x80) {
    return c > 0x20 && c < 0x7F && !u_isalnum(static_cast<UChar32>(c));
  }
  if (c == 0x166D || c == 0x111C9) return true;
  return (CategoryMask(c) & U_GC_P_MASK) && HasCategory(c);
}

bool IsChinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B81F) ||
         (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x2F800 && c <= 0x2FA1F);
}

// Rust's char::to_lowercase. What follows the first line is of Unicode 16 and
// 17, which an older ICU does not know.
char32_t ToLower(char32_t c) {
  const UChar32 lower = u_tolower(static_cast<UChar32>(c));
  if (lower != static_cast<UChar32>(c)) return static_cast<char32_t>(lower);
  if (c >= 0x10D50 && c <= 0x10D65) return c + 0x20;  // Garay
  if (c >= 0x16EA0 && c <= 0x16EB8) return c + 0x1B;  // Beria Erfe
  switch (c) {
    case 0xA7CB:
      return 0x0264;
    case 0xA7DC:
      return 0x019B;
    case 0x1C89:
    case 0xA7CC:
    case 0xA7CE:
    case 0xA7D2:
    case 0xA7D4:
    case 0xA7DA:
      return c + 1;
    default:
      return c;
  }
}

// The crate unicode-normalization-alignments is of Unicode 9.
bool IsNormalized(char32_t c) { return Age(c) <= 9; }

std::u32string Decompose(char32_t c) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfd = icu::Normalizer2::getNFDInstance(error);
  QUAVER_CHECK(U_SUCCESS(error));
  icu::UnicodeString parts;
  if (!IsNormalized(c) ||
      !nfd->getDecomposition(static_cast<UChar32>(c), parts)) {
    return {c};
  }
  std::u32string result;
  for (int32_t i = 0; i < parts.length(); i = parts.moveIndex32(i, 1)) {
    result.push_back(static_cast<char32_t>(parts.char32At(i)));
  }
  return result;
}

}  // namespace

BertNormalizer::BertNormalizer(const BertNormalizerConfig& config)
    : config_(config) {
  entries_.reserve(kEnd);
  for (char32_t c = 0; c < kEnd; ++c) entries_.push_back(MakeEntry(c));
}

BertNormalizer::Entry BertNormalizer::MakeEntry(char32_t code_point) {
  if (code_point >= 0xD800 && code_point < 0xE000) return {};  // no character
  std::vector<Unit> units = MakeUnits(code_point);
  if (units.empty()) return {};
  if (units.size() == 1 && units[0].combining_class == 0) {
    return Entry(units[0]);
  }
  lists_.push_back(std::move(units));
  return Entry(lists_.size() - 1);
}

std::vector<BertNormalizer::Unit> BertNormalizer::MakeUnits(
    char32_t code_point) const {
  if (config_.clean_text &&
      (code_point == 0 || code_point == U'\uFFFD' || IsControl(code_point))) {
    return {};
  }
  const bool alone = config_.handle_chinese_chars && IsChinese(code_point);
  if (!config_.strip_accents) {
    Unit unit = MakeUnit(code_point);
    if (alone) unit.category = Class::kAlone;
    unit.combining_class = 0;
    return {unit};
  }
  std::vector<Unit> units;
  for (const char32_t part : Decompose(code_point)) {
    const Unit unit = MakeUnit(part);
    if (unit.category == Class::kNothing && unit.combining_class != 0) continue;
    units.push_back(unit);
    if (alone) units.back().category = Class::kAlone;
  }
  return units;
}

BertNormalizer::Unit BertNormalizer::MakeUnit(char32_t code_point) const {
  Unit unit{code_point, Class::kLetter, 0};
  if (IsNormalized(code_point)) {
    unit.combining_class = static_cast<uint8_t>(
        u_getCombiningClass(static_cast<UChar32>(code_point)));
  }
  if (config_.strip_accents && IsNonspacingMark(code_point)) {
    unit.category = Class::kNothing;
    return unit;
  }
  if (config_.lowercase) unit.code_point = ToLower(code_point);
  if (IsWhitespace(unit.code_point)) {
    unit.category = Class::kSpace;
  } else if (IsPunctuation(unit.code_point)) {
    unit.category = Class::kAlone;
  }
  return unit;
}

void BertNormalizer::SortMarks(std::vector<Unit>* marks) {
  std::stable_sort(marks->begin(), marks->end(),
                   [](const Unit& a, const Unit& b) {
                     return a.combining_class < b.combining_class;
                   });
}

}  // namespace quaver
