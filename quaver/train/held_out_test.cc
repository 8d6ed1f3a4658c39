// Tests of the held-out sets and of the figures that training is judged by.
#include "quaver/train/held_out.h"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/text/bpe_trainer.h"
#include "quaver/text/compare.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kWords[][12] = {"Golden", "River",  "Silver",   "Mountain",
                               "Broken", "Mirror", "Electric", "Garden",
                               "Winter", "Parade", "Crystal",  "Shadow"};

// Enough tracks for every set that needs only tracks, held-out artists too.
SearchTexts SomeTexts() {
  SearchTexts texts;
  for (size_t i = 0; i < 12; ++i) {
    for (size_t j = 0; j < 12; ++j) {
      texts.tracks.push_back(
          {fmt::format("{} {} {}", kWords[i], kWords[j], kWords[(i + j) % 12]),
           fmt::format("The {} Quartet", kWords[(i * 5 + j) % 12])});
    }
  }
  int held_out = 0;
  for (int i = 0; held_out < 4; ++i) {
    const std::string artist = fmt::format("Quiet Machine {}", i);
    if (!IsHeldOut(artist)) continue;
    texts.tracks.push_back({"Evening Song", artist});
    ++held_out;
  }
  return texts;
}

// What MakeHeldOutSets needs, of these texts.
struct World {
  explicit World(SearchTexts texts_, const PairConfig& config = {})
      : texts(std::move(texts_)) {
    maker = *PairMaker::Create(texts, noise, config);
    BpeTrainer trainer({.vocab_size = 280});
    for (const char* word : kWords) trainer.Add(ComparableText(word), 2);
    tokenizer = *Bpe::FromSpec(*trainer.Train());
    encoder = std::make_unique<PairEncoder>(*tokenizer, BartShape(), 32);
  }

  std::vector<HeldOutSet> Sets(int64_t rows, uint64_t seed) const {
    return MakeHeldOutSets(texts, noise, *maker, *encoder, rows, seed);
  }

  SearchTexts texts;
  const Noise noise;
  std::unique_ptr<const PairMaker> maker;
  std::unique_ptr<const Bpe> tokenizer;
  std::unique_ptr<const PairEncoder> encoder;
};

const World& TestWorld() {
  static const World& world = *new World(SomeTexts());
  return world;
}

std::vector<std::string> Names(const std::vector<HeldOutSet>& sets) {
  std::vector<std::string> names;
  for (const HeldOutSet& set : sets) names.push_back(set.name);
  return names;
}

int NumMistaken(const HeldOutSet& set) {
  return static_cast<int>(
      std::count_if(set.pairs.begin(), set.pairs.end(),
                    [](const Pair& p) { return p.typed != p.meant; }));
}

TEST(HeldOutTest, ThereIsASetOfEveryKindThatTheTextsYield) {
  const auto sets = TestWorld().Sets(5, 1);
  const std::vector<std::string> names = Names(sets);
  for (const char* kind :
       {"artist", "touch", "hard", "partial", "prefix", "clean", "unseen"}) {
    EXPECT_THAT(names, testing::Contains(kind));
  }
  EXPECT_THAT(names, Not(testing::Contains("broad")));  // no description
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), names.size());
}

TEST(HeldOutTest, SetsHoldComparablePairsAndTheirTokens) {
  for (const HeldOutSet& set : TestWorld().Sets(5, 1)) {
    EXPECT_THAT(set.pairs, Not(IsEmpty())) << set.name;
    EXPECT_LE(set.pairs.size(), 5u) << set.name;
    Batch batch;
    for (const Pair& pair : set.pairs) {
      EXPECT_EQ(ComparableText(pair.typed), pair.typed);
      EXPECT_EQ(ComparableText(pair.meant), pair.meant);
      EXPECT_FALSE(pair.typed.empty() || pair.meant.empty());
      TestWorld().encoder->Add(pair, &batch);
    }
    EXPECT_EQ(set.batch.source.ids, batch.source.ids);
    EXPECT_EQ(set.batch.target.offsets, batch.target.offsets);
    EXPECT_EQ(set.batch.labels, batch.labels);
    if (set.name == "clean") {
      EXPECT_EQ(NumMistaken(set), 0);
    } else {
      EXPECT_GT(NumMistaken(set), 0) << set.name;
    }
  }
}

TEST(HeldOutTest, TheSeedDecides) {
  const auto one = TestWorld().Sets(4, 1), again = TestWorld().Sets(4, 1);
  const auto other = TestWorld().Sets(4, 2);
  ASSERT_EQ(Names(again), Names(one));
  int different = 0;
  for (size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(again[i].pairs, one[i].pairs) << one[i].name;
    different += i < other.size() && other[i].pairs != one[i].pairs ? 1 : 0;
  }
  EXPECT_GT(different, 0);
}

// Too few names for any set of queries, and no track at all.
TEST(HeldOutTest, TrainingNoiseMakesWhatTheTextsDoNotYield) {
  const World few({.names = {"Golden River", "Silver Mountain"}}, {.broad = 0});
  const auto sets = few.Sets(6, 1);
  EXPECT_THAT(Names(sets), ElementsAre("clean", "noise"));
  EXPECT_EQ(sets[0].pairs.size(), 6u);
  EXPECT_EQ(NumMistaken(sets[0]), 0);
  EXPECT_EQ(sets[1].pairs.size(), 6u);
  EXPECT_EQ(NumMistaken(sets[1]), 6);
  EXPECT_EQ(sets[1].batch.source.texts(), 6u);
  // Of other numbers than the first ones, which are trained on.
  std::vector<Pair> first;
  for (uint64_t i = 0; first.size() < 6; ++i) {
    Pair pair = few.maker->Make(i);
    if (pair.typed != pair.meant) first.push_back(std::move(pair));
  }
  EXPECT_NE(sets[1].pairs, first);
}

TEST(FiguresTest, FalseCorrectionsAreWhatIsMissingInClean) {
  Figures figures;
  figures.exact_fix = {{"word", 0.5}, {"clean", 0.98}, {"hard", 0.1}};
  EXPECT_DOUBLE_EQ(figures.false_corrections(), 1 - 0.98);
  figures.exact_fix.erase(figures.exact_fix.begin() + 1);
  EXPECT_EQ(figures.false_corrections(), 0);
}

TEST(FiguresTest, ScoreIsTheMeanOfMistakesLessTwiceFalseCorrections) {
  Figures figures;
  EXPECT_EQ(figures.score(), 0);
  figures.exact_fix = {{"word", 0.5}, {"clean", 0.9}, {"hard", 0.1}};
  EXPECT_DOUBLE_EQ(figures.score(), 0.3 - 2 * (1 - 0.9));
  figures.exact_fix = {{"clean", 0.75}};
  EXPECT_DOUBLE_EQ(figures.score(), -0.5);
}

}  // namespace
}  // namespace quaver
