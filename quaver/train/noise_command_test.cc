// Tests of `quaver-train noise`: what it shows and what it fits.
#include "quaver/train/noise_command.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/noise/confusions.h"
#include "quaver/noise/pairs.h"
#include "quaver/text/compare.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Write(const std::string& name, const std::string& content) {
  std::string path = testing::TempDir() + "/noise_command_" + name;
  EXPECT_TRUE(WriteFileAtomically(path, content).ok());
  return path;
}

std::string Catalogue() {
  std::string rows = "title\tartist\n";
  for (int i = 0; i < 50; ++i) {
    rows += fmt::format("Golden River {}\tThe Wandering Band {}\n", i, i % 7);
  }
  return Write("catalogue.tsv", rows);
}

std::vector<std::string> Shown(const ShowNoiseOptions& options) {
  std::stringstream out;
  const absl::Status status = ShowNoise(options, out);
  EXPECT_TRUE(status.ok()) << status;
  std::vector<std::string> lines;
  for (std::string line; std::getline(out, line);) lines.push_back(line);
  return lines;
}

TEST(ShowNoiseTest, APairIsALine) {
  const auto lines = Shown({.catalogue = {Catalogue()}, .show = 200});
  ASSERT_EQ(lines.size(), 200u);
  int clean = 0;
  for (const std::string& line : lines) {
    if (line.starts_with("= ")) {
      ++clean;
      EXPECT_EQ(ComparableText(line.substr(2)), line.substr(2));
      continue;
    }
    const size_t tab = line.find('\t');
    ASSERT_NE(tab, std::string::npos) << line;
    const std::string typed = line.substr(0, tab), meant = line.substr(tab + 1);
    EXPECT_NE(typed, meant);
    EXPECT_EQ(ComparableText(typed), typed);
    EXPECT_EQ(ComparableText(meant), meant);
  }
  EXPECT_GT(clean, 50);
  EXPECT_LT(clean, 150);
}

TEST(ShowNoiseTest, ShowsTheFirstTrainingPairsOfTheSeed) {
  const std::string catalogue = Catalogue();
  const auto texts = ReadSearchTexts(std::vector{catalogue});
  ASSERT_TRUE(texts.ok()) << texts.status();
  const Noise noise({}, Misspellings::Common());
  const auto maker = *PairMaker::Create(*texts, noise, {.seed = 7});
  const auto lines = Shown({.catalogue = {catalogue}, .seed = 7, .show = 20});
  ASSERT_EQ(lines.size(), 20u);
  for (uint64_t i = 0; i < 20; ++i) {
    const Pair pair = maker->Make(i);
    EXPECT_EQ(lines[i], pair.typed == pair.meant
                            ? "= " + pair.meant
                            : pair.typed + "\t" + pair.meant);
  }
  EXPECT_NE(Shown({.catalogue = {catalogue}, .seed = 8, .show = 20}), lines);
  EXPECT_TRUE(Shown({.catalogue = {catalogue}, .show = 0}).empty());
}

TEST(ShowNoiseTest, MisspellingsMayBeGiven) {
  const std::string file = Write("wrong.tsv", "goldilox\tgolden\n");
  const auto lines =
      Shown({.catalogue = {Catalogue()}, .misspellings = file, .show = 2'000});
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const auto& line) {
    return line.find("goldilox") != std::string::npos;
  }));
}

TEST(ShowNoiseTest, ErrorsNameTheFile) {
  std::stringstream out;
  EXPECT_THAT(Message(ShowNoise({.catalogue = {"none.tsv"}}, out)),
              HasSubstr("none.tsv"));
  const std::string bad = Write("bad.tsv", "goldilox golden\n");
  EXPECT_THAT(Message(ShowNoise(
                  {.catalogue = {Catalogue()}, .misspellings = bad}, out)),
              HasSubstr("bad.tsv"));
  EXPECT_EQ(out.str(), "");
}

// Five words in which "ei" is written as "ie", and what is no example.
constexpr char kPairs[] =
    "recieve\treceive\nRecieved\tReceived\t17\tmore\nnieghbour\tneighbour\n"
    "decieve\tdeceive\nconcieve\tconceive\n"
    "same\tsame\ntwo words\ttogether\nteh\tthe\nx1\tword1\n\tempty\n";

TEST(FitNoiseTest, WritesRulesAsTheirSourceFile) {
  std::stringstream out;
  const absl::Status status =
      FitNoise({.pairs = {Write("pairs.tsv", kPairs)}, .least = 5}, out);
  ASSERT_TRUE(status.ok()) << status;
  const std::string source = out.str();
  EXPECT_THAT(source, StartsWith("// Written by `quaver-train noise --fit`"));
  EXPECT_THAT(source, HasSubstr("of 5 misspelled words; 100 % "));
  EXPECT_THAT(source, HasSubstr("#include \"quaver/noise/internal/"
                                "confusion_rates.h\"\n\nnamespace quaver {"));
  EXPECT_THAT(source, HasSubstr("const std::string_view kConfusionRates"));
  const size_t begin = source.find("R\"(") + 3, end = source.find(")\";");
  ASSERT_LT(begin, end);
  const auto rules = ParseConfusions(source.substr(begin, end - begin));
  ASSERT_TRUE(rules.ok()) << rules.status();
  ASSERT_EQ(rules->size(), 1u);
  EXPECT_EQ(rules->front(), (Confusion{U"ei", U"ie", 1}));
}

TEST(FitNoiseTest, FilesAreTakenTogetherAndRulesLimited) {
  const std::string one = Write("one.tsv", "recieve\treceive\nfone\tphone\n");
  const std::string two = Write("two.tsv", "nieghbour\tneighbour");
  std::stringstream both, fewer;
  ASSERT_TRUE(FitNoise({.pairs = {one, two}, .least = 1}, both).ok());
  EXPECT_THAT(both.str(), HasSubstr("of 3 misspelled words"));
  ASSERT_TRUE(
      FitNoise({.pairs = {one, two}, .least = 1, .max_rules = 1}, fewer).ok());
  EXPECT_LT(fewer.str().size(), both.str().size());
}

TEST(FitNoiseTest, SaysWhatIsWrong) {
  std::stringstream out;
  const std::string bad = Write("no_tab.tsv", "a\tb\nrecieve receive\n");
  const absl::Status status = FitNoise({.pairs = {bad}}, out);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), HasSubstr("no_tab.tsv:2"));
  EXPECT_THAT(Message(FitNoise({.pairs = {"none.tsv"}}, out)),
              HasSubstr("none.tsv"));
  const absl::Status few =
      FitNoise({.pairs = {Write("pairs.tsv", kPairs)}, .least = 6}, out);
  EXPECT_EQ(few.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(FitNoise({}, out).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(out.str(), "");
}

}  // namespace
}  // namespace quaver
