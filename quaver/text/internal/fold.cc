// Character classes and foldings, from ICU's properties.
#include "quaver/text/internal/fold.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "quaver/base/check.h"

namespace quaver {
namespace {

using icu::Normalizer2;
using icu::UnicodeString;

const Normalizer2& Nfkd() {
  UErrorCode error = U_ZERO_ERROR;
  const Normalizer2* normalizer = Normalizer2::getNFKDInstance(error);
  QUAVER_CHECK(U_SUCCESS(error));
  return *normalizer;
}

const Normalizer2& Nfc() {
  UErrorCode error = U_ZERO_ERROR;
  const Normalizer2* normalizer = Normalizer2::getNFCInstance(error);
  QUAVER_CHECK(U_SUCCESS(error));
  return *normalizer;
}

UnicodeString Decompose(const UnicodeString& text) {
  UErrorCode error = U_ZERO_ERROR;
  UnicodeString result = Nfkd().normalize(text, error);
  QUAVER_CHECK(U_SUCCESS(error));
  return result;
}

std::u32string ToUtf32(const UnicodeString& text) {
  std::u32string result;
  for (int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    result.push_back(static_cast<char32_t>(text.char32At(i)));
  }
  return result;
}

// Typed, and printed, for one another. U+00B4 would otherwise decompose into
// a space and an accent, and the modifier letters would count as letters.
bool IsApostrophe(char32_t c) {
  switch (c) {
    case U'\'':
    case U'`':
    case U'\u00B4':  // acute accent
    case U'\u02B9':  // modifier letter prime
    case U'\u02BB':  // modifier letter turned comma (okina)
    case U'\u02BC':  // modifier letter apostrophe
    case U'\u05F3':  // Hebrew geresh
    case U'\u2018':
    case U'\u2019':
    case U'\u201B':
    case U'\u2032':  // prime
      return true;
    default:
      return false;
  }
}

// Letters without a decomposition that people type as these.
const char32_t* PlainLetter(char32_t c) {
  switch (c) {
    case U'\u00E6':  // ae
      return U"ae";
    case U'\u00F0':  // eth
    case U'\u0111':  // d with stroke
      return U"d";
    case U'\u00F8':  // o with stroke
      return U"o";
    case U'\u00FE':  // thorn
      return U"th";
    case U'\u0127':  // h with stroke
      return U"h";
    case U'\u0131':  // dotless i
      return U"i";
    case U'\u0142':  // l with stroke
      return U"l";
    case U'\u0153':  // oe
      return U"oe";
    case U'\u0167':  // t with stroke
      return U"t";
    case U'\u0192':  // f with hook
      return U"f";
    default:
      return nullptr;
  }
}

// Marks by canonical combining class. Marks that decorate go: accents, nukta,
// virama, Hebrew points, Arabic harakat, Thai and Lao tones. Kept are those
// that make another letter of it: kana voicing, and the few vowel signs with
// a class (Telugu, Thai, Lao, Tibetan). All other vowel signs have class 0.
bool IsDroppedMark(char32_t c) {
  switch (u_getCombiningClass(static_cast<UChar32>(c))) {
    case 0:  // not a mark, a vowel sign, or one that encloses (keycaps)
      return u_charType(static_cast<UChar32>(c)) == U_ENCLOSING_MARK;
    case 8:    // kana voicing
    case 84:   // Telugu length mark
    case 91:   // Telugu ai length mark
    case 103:  // Thai sara u, uu
    case 118:  // Lao u, uu
    case 129:  // Tibetan vowels
    case 130:
    case 132:
      return false;
    default:
      return true;
  }
}

bool IsEmojiModifier(char32_t c) {
  return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_EMOJI_MODIFIER);
}

// Emoji, also those drawn as text unless a variation selector follows, but
// not the arrows and signs below U+2600 (copyright, registered, play).
bool IsEmoji(char32_t c) {
  const auto code_point = static_cast<UChar32>(c);
  return u_hasBinaryProperty(code_point, UCHAR_EMOJI_PRESENTATION) ||
         u_hasBinaryProperty(code_point, UCHAR_REGIONAL_INDICATOR) ||
         (c >= 0x2600 && u_hasBinaryProperty(code_point, UCHAR_EMOJI));
}

// Neither seen nor meant: joiners, soft hyphens, selectors, tatweel. The zero
// width space separates words.
bool IsIgnorable(char32_t c) {
  return c == U'\u0640' ||
         (c != U'\u200B' &&
          u_hasBinaryProperty(static_cast<UChar32>(c),
                              UCHAR_DEFAULT_IGNORABLE_CODE_POINT));
}

enum class Class { kWord, kSymbol, kSpace, kDrop };

Class Classify(char32_t c) {
  const auto code_point = static_cast<UChar32>(c);
  if (IsIgnorable(c) || IsDroppedMark(c)) return Class::kDrop;
  if (IsEmojiModifier(c) || c == U'\uFFFD') return Class::kSpace;
  if (IsEmoji(c)) return Class::kWord;
  const uint32_t mask = U_GET_GC_MASK(code_point);
  if (mask & (U_GC_L_MASK | U_GC_N_MASK | U_GC_M_MASK)) return Class::kWord;
  // What this ICU does not know yet may be a letter of a later Unicode.
  if (mask & U_GC_CN_MASK) {
    return U_IS_UNICODE_NONCHAR(code_point) ? Class::kSpace : Class::kWord;
  }
  if (mask & (U_GC_P_MASK | U_GC_S_MASK | U_GC_CO_MASK)) return Class::kSymbol;
  return Class::kSpace;
}

// Compatibility decomposition, marks dropped, then case folding, which may
// need the first again. Dropping first keeps the Greek iota subscript, which
// folds to a letter, an accent.
std::u32string DecomposeAndFoldCase(char32_t code_point) {
  UnicodeString text(static_cast<UChar32>(code_point));
  for (;;) {
    UnicodeString next;
    for (const char32_t c : ToUtf32(Decompose(text))) {
      if (Classify(c) != Class::kDrop) next.append(static_cast<UChar32>(c));
    }
    next.foldCase();
    if (next == text) return ToUtf32(text);
    text = next;
  }
}

// Such as U+00A8: a space with an accent on it. Not a word boundary's space.
bool IsSpacingAccent(const std::u32string& parts) {
  return parts.size() > 1 && parts[0] == U' ';
}

// Most characters; saves nine tenths of the table's time.
bool IsItsOwnFold(char32_t c) {
  const auto code_point = static_cast<UChar32>(c);
  return Nfkd().isInert(code_point) &&
         !u_hasBinaryProperty(code_point, UCHAR_CHANGES_WHEN_CASEFOLDED) &&
         PlainLetter(c) == nullptr && Classify(c) == Class::kWord;
}

void AppendFolded(char32_t c, std::u32string* folded) {
  if (IsApostrophe(c)) return;
  if (const char32_t* plain = PlainLetter(c)) {
    folded->append(plain);
  } else if (Classify(c) == Class::kWord) {
    folded->push_back(c);
  } else if (Classify(c) != Class::kDrop) {
    folded->push_back(U' ');
  }
}

std::u32string Compose(const std::u32string& text) {
  UnicodeString utf16;
  for (const char32_t c : text) utf16.append(static_cast<UChar32>(c));
  UErrorCode error = U_ZERO_ERROR;
  const UnicodeString composed = Nfc().normalize(utf16, error);
  QUAVER_CHECK(U_SUCCESS(error));
  return ToUtf32(composed);
}

}  // namespace

std::u32string FoldCodePoint(char32_t code_point) {
  if (IsApostrophe(code_point)) return {};
  if (IsEmojiModifier(code_point)) return {};
  if (IsItsOwnFold(code_point)) return {code_point};
  const std::u32string parts =
      ToUtf32(Decompose(UnicodeString(static_cast<UChar32>(code_point))));
  if (IsSpacingAccent(parts)) return U" ";
  std::u32string folded;
  for (const char32_t c : DecomposeAndFoldCase(code_point)) {
    AppendFolded(c, &folded);
  }
  return Compose(folded);
}

std::u32string FoldSymbol(char32_t code_point) {
  if (IsApostrophe(code_point)) return U"'";
  if (IsEmojiModifier(code_point)) return {code_point};
  const std::u32string parts =
      ToUtf32(Decompose(UnicodeString(static_cast<UChar32>(code_point))));
  if (IsSpacingAccent(parts)) return {code_point};
  std::u32string folded;
  for (const char32_t c : parts) {
    if (IsApostrophe(c)) {
      folded.push_back(U'\'');
    } else if (Classify(c) == Class::kSymbol) {
      folded.push_back(c);
    } else if (Classify(c) != Class::kDrop) {
      folded.push_back(U' ');
    }
  }
  return folded;
}

bool MayCompose(char32_t code_point) {
  return !Nfc().hasBoundaryBefore(static_cast<UChar32>(code_point));
}

const FoldTable& FoldTable::Get() {
  static const FoldTable table;
  return table;
}

FoldTable::FoldTable() {
  entries_.reserve(kEnd);
  for (char32_t c = 0; c < kEnd; ++c) entries_.push_back(MakeEntry(c));
}

FoldTable::Entry FoldTable::MakeEntry(char32_t code_point) {
  const bool surrogate = code_point >= 0xD800 && code_point < 0xE000;
  const std::u32string folded = surrogate ? U" " : FoldCodePoint(code_point);
  if (folded.empty()) return {};
  bool may_compose = false;
  for (const char32_t c : folded) may_compose |= MayCompose(c);
  if (folded.size() == 1) return {folded[0], false, may_compose};
  expansions_.push_back(folded);
  return {static_cast<uint32_t>(expansions_.size() - 1), true, may_compose};
}

}  // namespace quaver
