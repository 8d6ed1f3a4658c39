// Tests of confusions: fitting, drawing, reading.
#include "quaver/noise/confusions.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;

std::vector<Misspelling> Repeat(const std::vector<Misspelling>& pairs,
                                int times) {
  std::vector<Misspelling> all;
  for (int i = 0; i < times; ++i) {
    all.insert(all.end(), pairs.begin(), pairs.end());
  }
  return all;
}

double RateOf(const ConfusionFit& fit, const char32_t* from,
              const char32_t* to) {
  for (const Confusion& rule : fit.rules) {
    if (rule.from == from && rule.to == to) return rule.rate;
  }
  return 0;
}

TEST(ConfusionFitTest, FindsWhatDiffersWithItsContext) {
  // Twice "ie" as "ei" out of the three words with "cie" in the first place.
  const auto fit = FitConfusions(
      {{{"recieve", "receive"}, {"beleive", "believe"}, {"fone", "phone"}}}, 1,
      100);
  EXPECT_EQ(fit.edits, 3);
  EXPECT_EQ(fit.explained, 3);
  EXPECT_EQ(RateOf(fit, U"ceiv", U"ciev"), 1);
  EXPECT_EQ(RateOf(fit, U"liev", U"leiv"), 1);
  EXPECT_EQ(RateOf(fit, U"_pho", U"_fo"), 1);
}

TEST(ConfusionFitTest, TakesLessContextWhereExamplesAreFew) {
  const std::vector<Misspelling> pairs = {
      {"recieve", "receive"}, {"beleif", "belief"}, {"nieghbour", "neighbour"}};
  const auto fit = FitConfusions(pairs, 2, 100);
  // "ei" twice, in "receive" and "neighbour", with different neighbours.
  EXPECT_EQ(RateOf(fit, U"ei", U"ie"), 1);
  EXPECT_EQ(RateOf(fit, U"ie", U"ei"), 0);  // once only
  EXPECT_EQ(fit.explained, 2);
}

TEST(ConfusionFitTest, ARateIsItsShareOfOccurrences) {
  const auto fit =
      FitConfusions(Repeat({{"hapy", "happy"}, {"puppy", "puppy"}}, 3), 3, 100);
  EXPECT_EQ(RateOf(fit, U"app", U"ap"), 1);
  for (const Confusion& rule : fit.rules) {
    EXPECT_GT(rule.rate, 0);
    EXPECT_LE(rule.rate, 1);
  }
}

TEST(ConfusionFitTest, LeavesOutWordsThatHaveLittleInCommon) {
  EXPECT_EQ(FitConfusions({{{"xyz", "abc"}}}, 1, 10).edits, 0);
  EXPECT_EQ(FitConfusions({}, 1, 10).rules.size(), 0u);
}

TEST(ConfusionTableTest, AppliesRulesWhereTheyFitAtTheirRates) {
  const ConfusionTable table({{U"_ph", U"_f", 0.9}, {U"e_", U"_", 0.3}});
  std::map<std::u32string, int> outcomes;
  for (uint64_t i = 0; i < 1'000; ++i) {
    Random random(1, i);
    ++outcomes[table.Apply(U"a phone sphere", random)];
  }
  EXPECT_EQ(outcomes.size(), 3u);
  EXPECT_NEAR(outcomes[U"a fone sphere"], 600, 60);
  EXPECT_NEAR(outcomes[U"a phon sphere"], 200, 50);
  EXPECT_NEAR(outcomes[U"a phone spher"], 200, 50);
  Random random(1);
  EXPECT_EQ(table.Apply(U"", random), U"");
  EXPECT_EQ(table.Apply(U"abc", random), U"abc");
}

TEST(ConfusionTableTest, TheFittedTableChangesMostWords) {
  const ConfusionTable& table = ConfusionTable::Fitted();
  EXPECT_GT(table.rules().size(), 200u);
  for (const char32_t* word : {U"believe", U"rhythm", U"bohemian rhapsody"}) {
    Random random(3);
    EXPECT_NE(table.Apply(word, random), word);
  }
}

TEST(ConfusionTextTest, IsReadAsItWasWritten) {
  const std::vector<Confusion> rules = {{U"_ph", U"_f", 0.25},
                                        {U"é", U"e", 0.5}};
  const auto read = ParseConfusions(FormatConfusions(rules));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, rules);
  for (const char* text : {"a b", "a b c", "a b 0", "_ph f 0.1", "_ _a 0.1",
                           "a b 0.1 d", "a b nan", "a b"}) {
    const auto bad = ParseConfusions(fmt::format("a b 0.5\n{}\n", text));
    EXPECT_THAT(Message(bad.status()), HasSubstr("rule ")) << text;
  }
}

}  // namespace
}  // namespace quaver
