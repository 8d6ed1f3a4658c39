// Comparison of texts as evaluation does it, over ICU.
#include "quaver/text/compare.h"

#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "quaver/base/check.h"

namespace quaver {
namespace {

icu::UnicodeString FromUtf8(std::string_view utf8) {
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(utf8.data(), static_cast<int32_t>(utf8.size())));
}

icu::UnicodeString Decompose(const icu::UnicodeString& text) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfkd = icu::Normalizer2::getNFKDInstance(error);
  QUAVER_CHECK(U_SUCCESS(error));
  const icu::UnicodeString decomposed = nfkd->normalize(text, error);
  QUAVER_CHECK(U_SUCCESS(error));
  return decomposed;
}

bool IsDropped(UChar32 c) {
  return c == U'\'' || c == U'\u2019' || u_getCombiningClass(c) != 0;
}

}  // namespace

bool IsWordCharacter(char32_t code_point) {
  const auto c = static_cast<UChar32>(code_point);
  return c == U'_' || (U_GET_GC_MASK(c) & U_GC_L_MASK) != 0 ||
         u_getIntPropertyValue(c, UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}

std::string ComparableText(std::string_view utf8) {
  const icu::UnicodeString text =
      Decompose(FromUtf8(utf8)).toLower(icu::Locale::getRoot());
  icu::UnicodeString kept;
  bool space = false;
  for (int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    const UChar32 c = text.char32At(i);
    if (IsDropped(c)) continue;
    if (!IsWordCharacter(static_cast<char32_t>(c))) {
      space = true;
      continue;
    }
    if (space && !kept.isEmpty()) kept.append(UChar32{' '});
    space = false;
    kept.append(c);
  }
  std::string result;
  return kept.toUTF8String(result);
}

std::string LowerCase(std::string_view utf8) {
  std::string result;
  return FromUtf8(utf8).toLower(icu::Locale::getRoot()).toUTF8String(result);
}

}  // namespace quaver
