// Tests of training pairs and of the texts they are made from.
#include "quaver/noise/pairs.h"

#include <filesystem>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/catalogue/store.h"
#include "quaver/noise/internal/near_names.h"
#include "quaver/text/compare.h"
#include "quaver/text/edit_distance.h"

namespace quaver {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const Noise& TestNoise() {
  static const Noise& noise = *new Noise;
  return noise;
}

SearchTexts SomeTexts() {
  SearchTexts texts;
  for (int i = 0; i < 300; ++i) {
    texts.tracks.push_back({fmt::format("Golden River Number {}", i),
                            fmt::format("The Wandering Band {}", i % 20)});
  }
  texts.names = {"Evening Stories", "Greatest Hits"};
  texts.descriptions = {
      "Two friends talk about films, books and everything in between.",
      "Gentle piano with warm strings for a quiet evening at home."};
  texts.tags = {"Jazz", "True Crime"};
  return texts;
}

std::unique_ptr<const PairMaker> Make(const SearchTexts& texts,
                                      const PairConfig& config = {}) {
  auto maker = PairMaker::Create(texts, TestNoise(), config);
  EXPECT_TRUE(maker.ok()) << maker.status();
  return *std::move(maker);
}

TEST(PairsTest, ANumberAlwaysGivesTheSamePair) {
  const auto maker = Make(SomeTexts());
  const auto again = Make(SomeTexts());
  std::set<std::string> meant;
  for (uint64_t i = 0; i < 500; ++i) {
    const Pair pair = maker->Make(i);
    EXPECT_EQ(again->Make(i), pair);
    meant.insert(pair.meant);
  }
  EXPECT_GT(meant.size(), 300u);
  EXPECT_NE(Make(SomeTexts(), {.seed = 2})->Make(0), maker->Make(0));
}

TEST(PairsTest, BothSidesAreComparableAndTheSharesHold) {
  const auto maker =
      Make(SomeTexts(), {.clean = 0.5, .clean_part = 0.5, .hard_negative = 0});
  int clean = 0;
  for (uint64_t i = 0; i < 4'000; ++i) {
    const Pair pair = maker->Make(i);
    ASSERT_FALSE(pair.meant.empty());
    ASSERT_FALSE(pair.typed.empty());
    EXPECT_EQ(ComparableText(pair.typed), pair.typed);
    EXPECT_EQ(ComparableText(pair.meant), pair.meant);
    clean += pair.typed == pair.meant;
    EXPECT_LE(EditPattern(pair.meant).Osa(pair.typed), 12) << pair.typed;
  }
  EXPECT_NEAR(clean, 2'000, 200);
}

TEST(PairsTest, WholeNamesAndTheRestHaveSharesOfTheirOwn) {
  SearchTexts texts;
  texts.tracks = {{"Midnight Harbour Lights", "Quiet Machine Orchestra"}};
  const std::set<std::string> whole = {
      "midnight harbour lights", "quiet machine orchestra",
      "midnight harbour lights quiet machine orchestra",
      "quiet machine orchestra midnight harbour lights",
      "midnight harbour lights by quiet machine orchestra"};
  const auto names = Make(texts, {.clean = 1, .clean_part = 0, .filler = 0});
  const auto parts = Make(texts, {.clean = 0, .clean_part = 1, .filler = 0});
  int num_whole = 0;
  for (uint64_t i = 0; i < 2'000; ++i) {
    const Pair pair = names->Make(i);
    if (whole.contains(pair.meant)) {
      ++num_whole;
      EXPECT_EQ(pair.typed, pair.meant);
    } else {
      const Pair part = parts->Make(i);
      EXPECT_EQ(part.typed, part.meant);
    }
  }
  EXPECT_GT(num_whole, 500);
  EXPECT_LT(num_whole, 1'900);
}

TEST(PairsTest, NoNameIsAskedToBecomeAnother) {
  const auto maker = Make({.tracks = {{"Hello", "Bello"}, {"Hella", "Bella"}}},
                          {.clean = 0, .clean_part = 0, .broad = 0});
  for (uint64_t i = 0; i < 2'000; ++i) {
    const Pair pair = maker->Make(i);
    if (pair.typed == pair.meant) continue;
    EXPECT_THAT((std::set<std::string>{"hello", "bello", "hella", "bella"}),
                Not(Contains(pair.typed)));
  }
}

TEST(PairsTest, RareNamesNearFamousOnesStayAsTheyAre) {
  std::vector<std::string> names = {"hello", "abcde", "hallo",  "hell",
                                    "world", "helol", "abcdefg"};
  // "hell" has too few letters to be told from chance.
  EXPECT_THAT(RareNearFamous(names, 2), ElementsAre(2u, 5u));
  EXPECT_THAT(RareNearFamous(names, 100), ElementsAre());
}

TEST(PairsTest, HeldOutArtistsAreNeverSeen) {
  SearchTexts texts;
  std::string held;
  for (int i = 0; held.empty(); ++i) {
    const std::string artist = fmt::format("Quiet Machine {}", i);
    if (IsHeldOut(artist)) held = ComparableText(artist);
    texts.tracks.push_back({"Song", artist});
  }
  const auto maker = Make(texts, {.clean = 1, .clean_part = 1, .broad = 0});
  for (uint64_t i = 0; i < 5'000; ++i) {
    EXPECT_THAT(maker->Make(i).meant, Not(HasSubstr(held)));
  }
}

TEST(PairsTest, RefusesNothingAndShareThatAreNone) {
  const auto nothing = PairMaker::Create({}, TestNoise(), {});
  EXPECT_EQ(nothing.status().code(), absl::StatusCode::kFailedPrecondition);
  const auto signs =
      PairMaker::Create({.tracks = {{"!!!", "..."}}}, TestNoise(), {});
  EXPECT_EQ(signs.status().code(), absl::StatusCode::kFailedPrecondition);
  const auto share = PairMaker::Create(SomeTexts(), TestNoise(), {.clean = 2});
  EXPECT_THAT(Message(share.status()), HasSubstr("clean"));
}

TEST(PairsTest, FixedPairsComeOverAndOver) {
  const auto maker = PairMaker::FromPairs({{"a", "b"}, {"c", "d"}});
  ASSERT_TRUE(maker.ok());
  EXPECT_EQ((*maker)->Make(5), (Pair{"c", "d"}));
  EXPECT_FALSE(PairMaker::FromPairs({}).ok());
}

TEST(PairsTest, OneRowIsEnough) {
  const auto maker = Make({.tracks = {{"Up", ""}}});
  for (uint64_t i = 0; i < 200; ++i) EXPECT_FALSE(maker->Make(i).meant.empty());
}

std::string Folder(const std::string& name) {
  const std::string folder = testing::TempDir() + "/texts_" + name;
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(MakeFolders(folder).ok());
  return folder;
}

TEST(SearchTextsTest, FilesInOrderBadLinesCounted) {
  const std::string folder = Folder("files");
  ASSERT_TRUE(WriteFileAtomically(folder + "/a.tsv",
                                  "id\ttitle\tartist\talbum\tgenre\n"
                                  "1\tB\tX\tOne\tRock\n2\tA\tY\tOne\tRock\n"
                                  "3\n")
                  .ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "/b.tsv",
                                  "show\tdescription\nTalk\tWe talk.\n")
                  .ok());
  int64_t bad = 0;
  const std::vector<std::string> paths = {folder + "/a.tsv", folder + "/b.tsv"};
  const auto texts = ReadSearchTexts(paths, &bad);
  ASSERT_TRUE(texts.ok()) << texts.status();
  ASSERT_EQ(texts->tracks.size(), 2u);
  EXPECT_EQ(texts->tracks[0].title, "B");
  EXPECT_THAT(texts->names, ElementsAre("One", "Talk"));
  EXPECT_THAT(texts->tags, ElementsAre("Rock"));
  EXPECT_THAT(texts->descriptions, ElementsAre("We talk."));
  EXPECT_EQ(bad, 1);
}

TEST(SearchTextsTest, ADatabaseIsReadBestKnownFirst) {
  const std::string folder = Folder("store");
  {
    auto store = CatalogueStore::Open(folder + "/catalogue.db");
    ASSERT_TRUE(store.ok()) << store.status();
    const Entity low = {
        .id = "track:1", .title = "Low", .artist = "A", .popularity = 1};
    const Entity high = {
        .id = "track:2", .title = "High", .artist = "B", .popularity = 9};
    ASSERT_TRUE((*store)->Upsert({low, high}).ok());
  }
  const std::vector<std::string> paths = {folder + "/catalogue.db"};
  const auto texts = ReadSearchTexts(paths);
  ASSERT_TRUE(texts.ok()) << texts.status();
  ASSERT_EQ(texts->tracks.size(), 2u);
  EXPECT_EQ(texts->tracks[0].title, "High");
}

TEST(SearchTextsTest, ErrorsNameTheFile) {
  const std::string folder = Folder("bad");
  const std::vector<std::string> none = {folder + "/none.tsv"};
  EXPECT_THAT(Message(ReadSearchTexts(none).status()),
              HasSubstr("none.tsv: no such catalogue"));
  ASSERT_TRUE(WriteFileAtomically(folder + "/empty.tsv", "title\n").ok());
  const std::vector<std::string> empty = {folder + "/empty.tsv"};
  EXPECT_THAT(Message(ReadSearchTexts(empty).status()),
              HasSubstr("empty.tsv: the catalogue holds nothing"));
}

}  // namespace
}  // namespace quaver
