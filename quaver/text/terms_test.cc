// Tests of other spellings.
#include "quaver/text/terms.h"

#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

TEST(UnstyleTest, ReadsSignsAsLetters) {
  const std::pair<const char*, const char*> names[] = {
      {"Ke$ha", "kesha"},
      {"A$AP Rocky", "asap rocky"},
      {"$uicideboy$", "suicideboys"},
      {"Ty Dolla $ign", "ty dolla sign"},
      {"Joey Bada$$", "joey badass"},
      {"P!nk", "pink"},
      {"!llmind", "illmind"},
      {"M@tt", "matt"},
      {"deadmau5", "deadmaus"},
      {"(deadmau5)", "deadmaus"},
      {"R3HAB", "rehab"},
      {"B00TY", "booty"},
      {"6LACK", "black"},
      {"KoЯn", "korn"},
      {"SΛMΛNTHΛ", "samantha"},
      {"Beyoncé & Ke$ha", "beyonce kesha"},
  };
  for (const auto& [name, plain] : names) EXPECT_EQ(Unstyle(name), plain);
}

TEST(UnstyleTest, LeavesNumbersAndNamesAlone) {
  for (const char* name :
       {"",          " ",     "CHVRCHES", "U2",       "MP3",
        "Blink-182", "80s",   "1st",      "21st",     "3rd 4th 5th",
        "10cc",      "M83",   "2Pac",     "E40",      "4U",
        "$100",      "Wham!", "!!!",      "@radio",   "99 Luftballons",
        "1999",      "Кино",  "Σίσυφος",  "東京事変", "Track 5",
        "\xFF$"}) {
    EXPECT_EQ(Unstyle(name), "") << name;
  }
}

TEST(UnstyleTest, GivesNormalisedTextForAnyBytes) {
  Random random(1);
  static constexpr char kBytes[] = "aZ0135$!@ \xC3\xA9\xCE\x9B\xFF";
  for (int i = 0; i < 100'000; ++i) {
    std::string text;
    for (uint64_t left = random.Below(12); left > 0; --left) {
      text.push_back(kBytes[random.Below(std::size(kBytes))]);
    }
    const std::string other = Unstyle(text);
    ASSERT_EQ(Normalize(other), other) << testing::PrintToString(text);
    ASSERT_TRUE(other.empty() || other != Normalize(text));
  }
}

TEST(SqueezeTest, JoinsWords) {
  EXPECT_EQ(Squeeze("day dream"), "daydream");
  EXPECT_EQ(Squeeze(""), "");
}

TEST(LightStemTest, FormsOfAWordAgree) {
  for (const auto& forms : std::vector<std::vector<std::string>>{
           {"song", "songs"},
           {"dance", "dances", "danced", "dancing"},
           {"story", "stories"},
           {"run", "runs", "running"},
           {"tell", "tells", "telling"},
           {"miss", "misses", "missed", "missing"},
           {"heat", "heated", "heating"}}) {
    for (const std::string& form : forms) {
      EXPECT_EQ(LightStem(form), LightStem(forms[0])) << form;
    }
  }
}

TEST(LightStemTest, LeavesShortAndForeignWords) {
  for (const char* word : {"", "a", "us", "bus", "sing", "red", "yes", "久石譲",
                           "jesus", "kiss"}) {
    EXPECT_EQ(LightStem(word), word);
  }
  EXPECT_EQ(LightStem("kings"), "king");
}

}  // namespace
}  // namespace quaver
