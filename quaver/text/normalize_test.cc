// Tests of normalisation.
#include "quaver/text/normalize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/text/internal/fold.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

bool IsValidUtf8(std::string_view text) {
  return ToUtf8(ToCodePoints(text)) == text &&
         text.find("\xEF\xBF\xBD") == std::string_view::npos;
}

TEST(NormalizeTest, FoldsCaseAccentsAndPunctuation) {
  EXPECT_EQ(Normalize("  AC/DC -- Back_In  Black! "), "ac dc back in black");
  EXPECT_EQ(Normalize("Beyoncé"), "beyonce");
  EXPECT_EQ(Normalize("Bjo\u0308rk"), "bjork");
  EXPECT_EQ(Normalize("SIGUR RÓS Ágætis byrjun"), "sigur ros agaetis byrjun");
  EXPECT_EQ(Normalize("Straße Łódź Đorđe Søn œuvre ışık İz"),
            "strasse lodz dorde son oeuvre isik iz");
  EXPECT_EQ(Normalize("Ｆｕｌｌ　Ｗｉｄｔｈ №５ ﬁn Ⅳ"),
            "full width no5 fin iv");
  EXPECT_EQ(Normalize("a\u0301\u0302\u0303\u0304z"), "az");
}

TEST(NormalizeTest, DropsApostrophesOfEveryShape) {
  for (const char* text : {"don't", "don’t", "don‘t", "donʼt", "don`t", "don´t",
                           "don′t", "don＇t", "donʻt"}) {
    EXPECT_EQ(Normalize(text), "dont") << text;
  }
}

TEST(NormalizeTest, KeepsEveryScriptAndItsVowels) {
  EXPECT_EQ(Normalize("Ἀθῆναι ΣΊΣΥΦΟΣ"), "αθηναι σισυφοσ");
  EXPECT_EQ(Normalize("Ёлка Йод"), "елка иод");
  EXPECT_EQ(Normalize("שָׁלוֹם"), "שלום");
  EXPECT_EQ(Normalize("مَرْحَـــبًا أهلا"), "مرحبا اهلا");
  EXPECT_EQ(Normalize("हिन्दी गाने"), "हिनदी गाने");
  EXPECT_NE(Normalize("कि"), Normalize("की"));
  EXPECT_NE(Normalize("สุ"), Normalize("สู"));
  EXPECT_EQ(Normalize("ไม่"), Normalize("ไม"));
  EXPECT_EQ(Normalize("ｶﾞﾝﾊﾞﾚ"), "ガンバレ");
  EXPECT_NE(Normalize("か"), Normalize("が"));
  EXPECT_EQ(Normalize("か\u3099"), "が");
  EXPECT_EQ(Normalize("한국어"), "한국어");
  EXPECT_EQ(Normalize("\u1112\u1161\u11AB"), "한");
  EXPECT_EQ(Normalize("東京・事変"), "東京 事変");
  EXPECT_EQ(Normalize("\U00020000!"), "\U00020000");
}

TEST(NormalizeTest, KeepsEmoji) {
  EXPECT_EQ(Normalize("I ❤️ U"), "i ❤ u");
  EXPECT_EQ(Normalize("👍🏽"), "👍");
  EXPECT_EQ(Normalize("© 2020 ™"), "2020 tm");
}

TEST(NormalizeTest, KeepsSymbolsWhenNothingElseIsThere) {
  EXPECT_EQ(Normalize("!!!"), "!!!");
  EXPECT_EQ(Normalize(" † †† "), "† ††");
  EXPECT_EQ(Normalize("÷"), "÷");
  EXPECT_EQ(Normalize("＄"), "$");
  EXPECT_EQ(Normalize("…"), "...");
  EXPECT_EQ(Normalize("’"), "'");
  EXPECT_EQ(Normalize("¨"), "¨");
  EXPECT_EQ(Normalize("$x"), "x");
}

TEST(NormalizeTest, WhatHoldsNothingGivesNothing) {
  for (const std::string text : {"", "   ", "\t\r\n", "\u0301", "\u200D",
                                 "\xFF\xC0", "\xE2\x82", "\uFFFD"}) {
    EXPECT_EQ(Normalize(text), "") << text;
  }
  EXPECT_EQ(Normalize(std::string_view("a\0b", 3)), "a b");
  EXPECT_EQ(Normalize("a\xFF"
                      "b\xC3"),
            "a b");
}

TEST(NormalizeTest, FoldingACodePointTwiceChangesNothing) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    if (c >= 0x30000 && c < 0xE0000) continue;  // unassigned planes
    const std::string once = Normalize(ToUtf8(std::u32string(1, c)));
    ASSERT_EQ(Normalize(once), once) << "U+" << std::hex << uint32_t{c};
    ASSERT_TRUE(IsValidUtf8(once)) << "U+" << std::hex << uint32_t{c};
  }
}

// Marks, letters that compose, symbols, spaces, apostrophes and stray bytes,
// in every order.
std::string RandomText(Random* random) {
  static constexpr char32_t kStarts[] = {
      0x20,    0x21,    0x27,    0x61,    0xC0,   0x131,  0x300,   0x340,
      0x370,   0x400,   0x5B0,   0x620,   0x64B,  0x900,  0x9BE,   0xB3E,
      0xC46,   0xDCF,   0xE30,   0xEB0,   0xF70,  0x102E, 0x1100,  0x1160,
      0x11A8,  0x1B05,  0x1E00,  0x1F80,  0x2000, 0x2100, 0x3040,  0x3099,
      0xAC00,  0xF900,  0xFB00,  0xFE70,  0xFF00, 0xFFA0, 0x110B0, 0x1D160,
      0x1F300, 0x1F3F0, 0x20000, 0x2F800, 0xE0020};
  std::string text;
  for (uint64_t i = random->Below(12); i > 0; --i) {
    if (random->Chance(0.05)) {
      text.push_back(static_cast<char>(random->Below(256)));
      continue;
    }
    const char32_t start = kStarts[random->Below(std::size(kStarts))];
    text += ToUtf8(
        std::u32string(1, start + static_cast<char32_t>(random->Below(32))));
  }
  return text;
}

TEST(NormalizeTest, IsIdempotentAndValidOnRandomText) {
  Random random(1);
  for (int i = 0; i < 200'000; ++i) {
    const std::string text = RandomText(&random);
    const std::string once = Normalize(text);
    ASSERT_EQ(Normalize(once), once) << testing::PrintToString(text);
    ASSERT_TRUE(IsValidUtf8(once)) << testing::PrintToString(text);
  }
}

TEST(NormalizeTest, SourcesPointAtTheCharacterThatMadeEachByte) {
  const NormalizedText result = NormalizeWithSource("  Ké$ha–Œ!");
  EXPECT_EQ(result.text, "ke ha oe");
  EXPECT_THAT(result.source, ElementsAre(2, 3, 5, 6, 7, 8, 11, 11, 14));
  EXPECT_THAT(NormalizeWithSource("").source, ElementsAre(0));
  EXPECT_THAT(NormalizeWithSource("か\u3099x").source,
              ElementsAre(0, 0, 0, 6, 7));
}

TEST(NormalizeTest, SourcesAgreeWithThePlainForm) {
  Random random(2);
  for (int i = 0; i < 50'000; ++i) {
    const std::string text = RandomText(&random);
    const NormalizedText result = NormalizeWithSource(text);
    ASSERT_EQ(result.text, Normalize(text)) << testing::PrintToString(text);
    ASSERT_EQ(result.source.size(), result.text.size() + 1);
    ASSERT_EQ(result.source.back(), text.size());
    ASSERT_TRUE(std::is_sorted(result.source.begin(), result.source.end()));
  }
}

TEST(SplitWordsTest, GivesRunsWithoutSpaces) {
  EXPECT_THAT(SplitWords("ac dc"), ElementsAre("ac", "dc"));
  EXPECT_THAT(SplitWords(""), IsEmpty());
}

TEST(CleanUtf8Test, ReplacesWhatCannotBeShown) {
  EXPECT_EQ(CleanUtf8("\x01 a\tb\xFF "), "a b\uFFFD");
  EXPECT_EQ(CleanUtf8("\n"), "");
}

TEST(ToUtf8Test, ReplacesWhatIsNotAScalarValue) {
  EXPECT_EQ(ToUtf8(std::u32string{0xD800, 0x110000, 0x41}), "\uFFFD\uFFFDA");
  EXPECT_EQ(ToCodePoints("a\xF0\x9F\x98"), std::u32string({U'a', 0xFFFD}));
}

}  // namespace
}  // namespace quaver
