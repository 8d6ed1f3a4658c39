// Tests of mistakes: what each kind may do, and that it can be repeated.
#include "quaver/noise/noise.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/text/compare.h"
#include "quaver/text/edit_distance.h"
#include "quaver/text/keyboard.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A configuration that makes one kind of slip only.
Noise OnlySlip(double SlipRates::* kind) {
  NoiseConfig config;
  config.slips = {0, 0, 0, 0, 0, 0, 0};
  config.slips.*kind = 1;
  return Noise(config);
}

Noise OnlySound(double SoundRates::* kind) {
  NoiseConfig config;
  config.sounds = {0, 0, 0, 0};
  config.sounds.*kind = 1;
  return Noise(config);
}

// All results of many draws.
template <typename Draw>
std::set<std::string> Outcomes(const Draw& draw) {
  std::set<std::string> outcomes;
  for (uint64_t i = 0; i < 400; ++i) {
    Random random(5, i);
    outcomes.insert(draw(random));
  }
  return outcomes;
}

TEST(KeyboardTest, NeighboursAreMutual) {
  for (const char32_t a :
       std::u32string(U"abcdefghijklmnopqrstuvwxyz0123456789")) {
    EXPECT_FALSE(NearKeys(a).empty());
    for (const char32_t b : NearKeys(a)) {
      EXPECT_NE(a, b);
      EXPECT_NE(NearKeys(b).find(a), std::u32string_view::npos)
          << static_cast<char>(a) << static_cast<char>(b);
    }
  }
  EXPECT_TRUE(NearKeys(U' ').empty());
  EXPECT_TRUE(NearKeys(U'é').empty());
}

TEST(SlipTest, NearKeyReplacesOneLetterByItsNeighbour) {
  const Noise noise = OnlySlip(&SlipRates::near_key);
  const auto seen = Outcomes([&](Random& r) { return noise.Slip("pm", r); });
  EXPECT_THAT(seen, ElementsAre("0m", "lm", "om", "pj", "pk", "pn"));
}

TEST(SlipTest, DropAndRepeatTouchEveryLetter) {
  const Noise drop = OnlySlip(&SlipRates::drop);
  EXPECT_THAT(Outcomes([&](Random& r) { return drop.Slip("ab c", r); }),
              ElementsAre("a c", "ab ", "b c"));
  const Noise repeat = OnlySlip(&SlipRates::repeat);
  EXPECT_THAT(Outcomes([&](Random& r) { return repeat.Slip("ab c", r); }),
              ElementsAre("aab c", "ab cc", "abb c"));
}

TEST(SlipTest, SwapNeedsTwoDifferentLettersOfAWord) {
  const Noise noise = OnlySlip(&SlipRates::swap);
  EXPECT_THAT(Outcomes([&](Random& r) { return noise.Slip("aab c", r); }),
              ElementsAre("aba c"));
  Random random(1);
  EXPECT_EQ(noise.Slip("a b", random), "a b");
}

TEST(SlipTest, InsertAddsANeighbourBeforeOrAfter) {
  const Noise noise = OnlySlip(&SlipRates::insert);
  EXPECT_THAT(Outcomes([&](Random& r) { return noise.Slip("m", r); }),
              ElementsAre("jm", "km", "mj", "mk", "mn", "nm"));
}

TEST(SlipTest, JoinAndSplitMoveSpacesOnly) {
  const Noise join = OnlySlip(&SlipRates::join);
  EXPECT_THAT(Outcomes([&](Random& r) { return join.Slip("a b c", r); }),
              ElementsAre("a bc", "ab c"));
  const Noise split = OnlySlip(&SlipRates::split);
  EXPECT_THAT(Outcomes([&](Random& r) { return split.Slip("sober up", r); }),
              ElementsAre("so ber up", "sob er up"));
}

TEST(SlipTest, WorksOnCodePoints) {
  const Noise noise = OnlySlip(&SlipRates::drop);
  EXPECT_THAT(Outcomes([&](Random& r) { return noise.Slip("né東", r); }),
              ElementsAre("né", "n東", "é東"));
}

TEST(SlipTest, FirstLettersAreRarer) {
  const Noise noise = OnlySlip(&SlipRates::drop);
  std::map<std::string, int> count;
  for (uint64_t i = 0; i < 4000; ++i) {
    Random random(9, i);
    ++count[noise.Slip("abc", random)];
  }
  const double share = count["bc"] / 4000.0;
  const double expected = 0.35 / 2.35;  // its weight over the word's
  EXPECT_NEAR(share, expected, 0.02);   // 3.5 standard errors
}

TEST(SoundTest, LettersThatSoundAlike) {
  const Noise noise = OnlySound(&SoundRates::letters);
  EXPECT_THAT(Outcomes([&](Random& r) { return noise.Sound("phil", r); }),
              AnyOf(testing::Contains("fil"), testing::Contains("phill")));
  const auto knights =
      Outcomes([&](Random& r) { return noise.Sound("knife", r); });
  EXPECT_TRUE(knights.contains("nife"));
  EXPECT_TRUE(knights.contains("knif"));
  EXPECT_TRUE(knights.contains("kniphe"));
}

TEST(SoundTest, RulesKeepToTheirPlace) {
  const Noise noise = OnlySound(&SoundRates::letters);
  const auto seen = Outcomes([&](Random& r) { return noise.Sound("wh", r); });
  EXPECT_FALSE(seen.contains(""));   // not the whole word
  EXPECT_FALSE(seen.contains("h"));  // h falls silent inside words only
}

TEST(SoundTest, DoublesAndShorthand) {
  const Noise undouble = OnlySound(&SoundRates::undouble);
  EXPECT_THAT(Outcomes([&](Random& r) { return undouble.Sound("yellow", r); }),
              ElementsAre("yelow"));
  const Noise redouble = OnlySound(&SoundRates::redouble);
  EXPECT_THAT(Outcomes([&](Random& r) { return redouble.Sound("sober", r); }),
              ElementsAre("sobber"));
  const Noise shorthand = OnlySound(&SoundRates::shorthand);
  EXPECT_THAT(
      Outcomes([&](Random& r) { return shorthand.Sound("you and your", r); }),
      ElementsAre("u and your", "you and ur", "you n your"));
}

TEST(NoiseTest, MistakesAreReproducible) {
  const Noise noise;
  for (uint64_t i = 0; i < 50; ++i) {
    Random a(3, i);
    Random b(3, i);
    EXPECT_EQ(noise.Mistakes("come as you are", kBoth, 2, a),
              noise.Mistakes("come as you are", kBoth, 2, b));
  }
}

TEST(NoiseTest, OneMistakeIsOneEdit) {
  const Noise noise;
  const EditPattern original("come as you are");
  for (uint64_t i = 0; i < 500; ++i) {
    Random random(4, i);
    const auto typed = noise.Mistakes("come as you are", kTyping, 1, random);
    ASSERT_TRUE(typed.has_value());
    EXPECT_EQ(original.Osa(*typed), 1) << *typed;
  }
}

TEST(NoiseTest, EveryMistakeShows) {
  const Noise noise;
  for (uint64_t i = 0; i < 500; ++i) {
    Random random(4, i);
    const auto typed = noise.Mistakes("aa bb", kBoth, 2, random);
    EXPECT_NE(ComparableText(typed.value_or("")), "aa bb");
  }
  Random random(1);
  EXPECT_EQ(noise.Mistakes("", kBoth, 1, random), std::nullopt);
  EXPECT_EQ(noise.Mistakes("!!!", kBoth, 1, random), std::nullopt);
  EXPECT_EQ(noise.Mistakes("zzz", {.misspelling = 1}, 1, random), std::nullopt);
}

TEST(NoiseTest, MisspellsAWholeWord) {
  Misspellings list;
  list.Add("tommorow", "tomorrow");
  const Noise noise({}, list);
  Random random(1);
  EXPECT_EQ(noise.Misspell("see you then", random), "see you then");
  EXPECT_EQ(noise.Misspell("see tomorrow then", random), "see tommorow then");
}

TEST(NoiseTest, TypedNamesAreLowerCaseWords) {
  NoiseConfig config;
  config.lose_accents = 1;
  config.lose_apostrophes = 1;
  Random random(1);
  EXPECT_EQ(Noise(config).AsTyped("Don’t Stop (Beyoncé) - 2011!", random),
            "dont stop beyonce 2011");
  config.lose_accents = 0;
  config.lose_apostrophes = 0;
  EXPECT_EQ(Noise(config).AsTyped("Don't  'Stop' Beyoncé", random),
            "don't stop beyoncé");
  EXPECT_EQ(Noise(config).AsTyped("한국어 東京", random), "한국어 東京");
}

TEST(NoiseTest, AccentsOfOtherScriptsStay) {
  EXPECT_EQ(WithoutAccents("Ångström ΰ ё ガ 한"), "angstrom υ е ガ 한");
}

TEST(NoiseTest, CutsInsideTheLastWord) {
  EXPECT_THAT(
      Outcomes(
          [](Random& r) { return CutLastWord("black velvet", 2, r).value(); }),
      ElementsAre("black ve", "black vel", "black velv", "black velve"));
  Random random(1);
  EXPECT_EQ(CutLastWord("so up", 2, random), std::nullopt);
  EXPECT_EQ(CutLastWord("", 2, random), std::nullopt);
}

TEST(NoiseTest, HostileTextIsSurvived) {
  const Noise noise;
  const std::string texts[] = {"\xff\xfe", std::string(5000, 'a'), "🎵🎵",
                               std::string("a\0b", 3), "\u0301\u0301"};
  for (const std::string& text : texts) {
    for (uint64_t i = 0; i < 20; ++i) {
      Random random(6, i);
      noise.Mistakes(noise.AsTyped(text, random), kBoth, 3, random);
      CutLastWord(text, 1, random);
    }
  }
}

TEST(MisspellingsTest, ReadsAFileAndNamesABadLine) {
  const std::string path = testing::TempDir() + "/quaver_misspellings.tsv";
  ASSERT_TRUE(WriteFileAtomically(path,
                                  "recieve\treceive\tx\nrecieve\treceive\n\n"
                                  "receeve\treceive\na lot\talot\nteh\tthe\n")
                  .ok());
  const auto list = Misspellings::Load(path);
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(list->num_words(), 1u);
  EXPECT_THAT(list->Of("receive"), ElementsAre("recieve", "receeve"));
  EXPECT_THAT(list->Of("the"), IsEmpty());
  ASSERT_TRUE(WriteFileAtomically(path, "a\tb\nonly\n").ok());
  EXPECT_THAT(Message(Misspellings::Load(path).status()), HasSubstr(":2:"));
}

TEST(MisspellingsTest, OwnListIsOfSingleAsciiWords) {
  const Misspellings list = Misspellings::Common();
  EXPECT_GT(list.num_words(), 100u);
  EXPECT_TRUE(list.Has("tomorrow"));
}

TEST(MisspellingsTest, PartsShareNoWord) {
  const Misspellings all = Misspellings::Common();
  const Misspellings learned = all.Part(false), judged = all.Part(true);
  EXPECT_EQ(learned.num_words() + judged.num_words(), all.num_words());
  EXPECT_GT(judged.num_words(), all.num_words() / 10);
  EXPECT_GT(learned.num_words(), all.num_words() / 2);
  EXPECT_NE(learned.Has("tomorrow"), judged.Has("tomorrow"));
  const auto& part = learned.Has("tomorrow") ? learned : judged;
  EXPECT_EQ(part.Of("tomorrow"), all.Of("tomorrow"));
}

}  // namespace
}  // namespace quaver
