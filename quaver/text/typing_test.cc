// Tests of what hands and ears take for one another.
#include "quaver/text/typing.h"

#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/text/edit_distance.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

TEST(KeyDistanceTest, CostsWhatTheMistakeCosts) {
  const struct {
    const char* typed;
    const char* meant;
    float cost;
  } kCases[] = {
      {"hello", "hello", 0},
      {"", "", 0},
      {"", "abc", 3},
      {"xat", "cat", 0.6f},             // neighbouring keys
      {"pat", "cat", 1},                // other keys
      {"hte", "the", 0.6f},             // swapped
      {"helo", "hello", 0.5f},          // not doubled
      {"helllo", "hello", 0.5f},        // doubled once more
      {"hhello", "hello", 0.5f},        // ... at the beginning
      {"helo", "helio", 1},             // lost
      {"daydream", "day dream", 0.5f},  // a space too few
      {"hel lo", "hello", 0.5f},        // ... too many
      {"h3llo", "hello", 0.5f},         // looks alike
      {"0asis", "oasis", 0.5f},         // looks alike and lies beside
      {"9asis", "oasis", 0.6f},         // lies beside
      {"7asis", "oasis", 1},
      {"hte xat", "the cat", 1.2f},
      {"bjork", "björk", 1},
      {"久石", "久石譲", 1},
  };
  for (const auto& [typed, meant, cost] : kCases) {
    EXPECT_FLOAT_EQ(KeyDistance(typed, meant), cost) << typed;
    EXPECT_FLOAT_EQ(KeyDistance(meant, typed), cost) << meant;
  }
}

TEST(KeyDistanceTest, KeysAreAsFarBothWays) {
  const std::string keys = "abcdefghijklmnopqrstuvwxyz0123456789 ";
  for (const char a : keys) {
    for (const char b : keys) {
      const std::string typed = {'x', a}, meant = {'x', b};
      EXPECT_EQ(KeyDistance(typed, meant), KeyDistance(meant, typed))
          << typed << " " << meant;
    }
  }
}

// Letters that lie beside, look like and follow one another.
std::string RandomText(Random& random) {
  static constexpr std::string_view kLetters[] = {"a", "s", "s", "l", "1",
                                                  "5", " ", "é", "譲"};
  std::string text;
  for (uint64_t n = random.Below(10); n > 0; --n) {
    text += kLetters[random.Below(std::size(kLetters))];
  }
  return text;
}

TEST(KeyDistanceTest, IsSymmetricAndNeverAboveTheEdits) {
  Random random(3);
  for (int i = 0; i < 3000; ++i) {
    const std::string a = RandomText(random), b = RandomText(random);
    const float distance = KeyDistance(a, b);
    // Sums of the same costs in another order.
    EXPECT_NEAR(distance, KeyDistance(b, a), 1e-4f) << a << "|" << b;
    const auto edits = static_cast<float>(EditPattern(a).Osa(b));
    EXPECT_LE(distance, edits + 1e-4f) << a << "|" << b;
    EXPECT_GE(distance, 0.5f * edits - 1e-4f) << a << "|" << b;
  }
}

TEST(KeyDistanceTest, ReadsTheFirst64Letters) {
  const std::string a(300, 'a'), p(300, 'p');
  EXPECT_FLOAT_EQ(KeyDistance(a, p), 64);
  EXPECT_FLOAT_EQ(KeyDistance(a, std::string(64, 'a') + "more"), 0);
  EXPECT_FLOAT_EQ(KeyDistance(a, ""), 32.5f);  // one, and the rest doubles it
  std::string kanji;
  for (int i = 0; i < 100; ++i) kanji += "譲";
  EXPECT_FLOAT_EQ(KeyDistance(kanji, p), 64);
  EXPECT_FLOAT_EQ(KeyDistance(kanji, kanji), 0);
}

TEST(SoundFormTest, WordsThatSoundAlikeAreEqual) {
  for (const auto& [a, b] : {std::pair("phone", "fone"),
                             {"queen", "kween"},
                             {"knight", "nite"},
                             {"night", "nite"},
                             {"write", "rite"},
                             {"rock", "rok"},
                             {"cat", "kat"},
                             {"city", "sity"},
                             {"scene", "seen"},
                             {"zebra", "sebra"},
                             {"hello", "helo"},
                             {"rhythm", "rythm"},
                             {"beautiful", "butiful"},
                             {"match", "mach"},
                             {"bridge", "brij"},
                             {"thumb", "thum"},
                             {"school", "skool"}}) {
    EXPECT_EQ(SoundForm(a), SoundForm(b)) << a;
    EXPECT_FALSE(SoundForm(a).empty()) << a;
  }
}

TEST(SoundFormTest, OtherWordsDiffer) {
  for (const auto& [a, b] : {std::pair("phone", "bone"),
                             {"queen", "keen"},
                             {"night", "knife"},
                             {"rock", "rook band"},
                             {"cat", "city"},
                             {"song", "sing along"}}) {
    EXPECT_NE(SoundForm(a), SoundForm(b)) << a;
  }
}

TEST(SoundFormTest, WordsStayApart) {
  EXPECT_EQ(SoundForm("day dream"), "da dram");
  EXPECT_EQ(SoundForm("phone home"), "fan am");
  EXPECT_EQ(SoundForm("hell lo"), "al la");
  EXPECT_EQ(SoundForm("  "), "  ");
  EXPECT_EQ(SoundForm(""), "");
  EXPECT_EQ(SoundForm("e"), "a");  // a word is not its own final "e"
  EXPECT_EQ(SoundForm("a e"), "a a");
}

TEST(SoundFormTest, WhatIsNotALetterStays) {
  EXPECT_EQ(SoundForm("1999"), "1999");
  // "も" has two equal bytes, and one of a pair of them would be no letter.
  for (const std::string text : {"もももも", "мир", "ééß", "😀😀"}) {
    EXPECT_EQ(SoundForm(text), text);
  }
  EXPECT_EQ(CleanUtf8(SoundForm("quééén も")), SoundForm("quééén も"));
}

TEST(SoundFormTest, AnyBytesAreRead) {
  Random random(4);
  for (int i = 0; i < 500; ++i) {
    std::string text;
    for (uint64_t n = random.Below(40); n > 0; --n) {
      text += "acdeghkmnpqstuwxy z\xc3\xa9"[random.Below(21)];
    }
    EXPECT_LE(SoundForm(text).size(), 2 * text.size());
  }
}

}  // namespace
}  // namespace quaver
