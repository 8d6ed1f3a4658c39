// Tests of what evaluation reads and writes: TSV, sets, tables.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/catalogue/store.h"
#include "quaver/eval/broad_eval.h"
#include "quaver/eval/query_file.h"
#include "quaver/eval/table.h"
#include "quaver/eval/tsv.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Folder(const std::string& name) {
  const std::string path = testing::TempDir() + "/quaver_eval_" + name;
  std::filesystem::remove_all(path);
  EXPECT_TRUE(MakeFolders(path).ok());
  return path;
}

TEST(TsvTest, NamedColumnsInAnyOrder) {
  const std::string path = Folder("tsv") + "/a.tsv";
  ASSERT_TRUE(
      WriteFileAtomically(path, "x\tname\ty\r\n1\ta\t2\r\n\r\n3\tb\n").ok());
  std::vector<std::string> seen;
  ASSERT_TRUE(ForEachNamedRow(path, {"y", "name"}, [&](const auto& values) {
                seen.push_back(fmt::format("{}/{}", values[0], values[1]));
                return absl::OkStatus();
              }).ok());
  EXPECT_THAT(seen, ElementsAre("2/a", "/b"));
  const auto status = ForEachNamedRow(
      path, {"z"}, [](const auto&) { return absl::OkStatus(); });
  EXPECT_THAT(Message(status), HasSubstr("no column 'z', only x, name, y"));
}

TEST(TsvTest, NumbersAreWhole) {
  EXPECT_EQ(ParseNumber("-1.5").value(), -1.5);
  EXPECT_FALSE(ParseNumber("1.5x").ok());
  EXPECT_FALSE(ParseNumber("").ok());
  EXPECT_FALSE(ParseNumber("nan").ok());
  EXPECT_FALSE(ParseNumber("-inf").ok());
}

TEST(QueryFileTest, WritesAndReadsBack) {
  const std::string folder = Folder("sets");
  const QuerySet touch = {"touch",
                          {{"hey jdue", "hey jude", "Hey Jude", "B"},
                           {"adelle", "adele", "", "Adele"}}};
  ASSERT_TRUE(WriteQuerySet(folder, touch).ok());
  ASSERT_TRUE(WriteQuerySet(folder, {"clean", {{"a\tb", "a", "c", "d"}}}).ok());
  const auto sets = ReadQuerySets(folder);
  ASSERT_TRUE(sets.ok()) << sets.status();
  ASSERT_EQ(sets->size(), 2u);
  EXPECT_EQ((*sets)[0].name, "clean");
  EXPECT_EQ((*sets)[0].rows[0].query, "a b");
  EXPECT_EQ((*sets)[1].rows, touch.rows);
}

TEST(QueryFileTest, ErrorsNameFileAndLine) {
  const std::string folder = Folder("bad");
  EXPECT_EQ(ReadQuerySets(folder).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(
      WriteFileAtomically(folder + "/a.tsv", "a\tb\tc\td\na\tb\n").ok());
  EXPECT_THAT(Message(ReadQuerySets(folder).status()), HasSubstr("a.tsv:2:"));
}

TEST(QueryFileTest, MakesSetsOfATsvCatalogue) {
  const std::string folder = Folder("make");
  std::string content = "id\ttitle\tartist\n";
  for (int i = 0; i < 60; ++i) {
    content += fmt::format("{}\tSilent Highway {}\tGolden Foxes {}\n", i,
                           100 + i, i % 7);
  }
  ASSERT_TRUE(WriteFileAtomically(folder + "/tracks.tsv", content).ok());
  const auto sets =
      MakeSets({.catalogue = {folder + "/tracks.tsv"},
                .folder = folder + "/sets",
                .misspellings = "",
                .kinds = {SetKind::kTouch, SetKind::kClean, SetKind::kUnseen,
                          SetKind::kUnseenPartial},
                .set = {.rows = 20, .seed = 1}});
  ASSERT_TRUE(sets.ok()) << sets.status();
  const auto read = ReadQuerySets(folder + "/sets");
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), 2u);  // none of seven artists is kept out
  EXPECT_EQ((*read)[1].name, "touch");
  EXPECT_EQ((*read)[1].rows, (*sets)[0].rows);
}

TEST(TableTest, ColumnsAreAligned) {
  EXPECT_EQ(MarkdownTable({{"set", "é %"}, {"touch", "7"}}),
            "| set   | é % |\n"
            "| ----- | --: |\n"
            "| touch |   7 |\n");
  EXPECT_EQ(PercentCell({0.5, 0.45, 0.551}), "50.0 (45.0-55.1)");
  EXPECT_EQ(DifferenceCell({-0.001, -0.0024, 0.0002}),
            "-0.10 (-0.24 to +0.02)");
}

TEST(BroadQueriesTest, TheCommittedListIsFortyQueries) {
  const auto queries =
      ReadBroadQueries(QUAVER_SOURCE_DIR "/tests/sets/broad_queries.tsv");
  ASSERT_TRUE(queries.ok()) << queries.status();
  EXPECT_EQ(queries->size(), 40u);
  EXPECT_EQ((*queries)[0].type, EntityType::kShow);
  EXPECT_THAT((*queries)[0].genres, testing::Contains("Daily News"));
}

TEST(BroadQueriesTest, AFieldThatIsNotUnderstoodIsNamed) {
  const std::string path = Folder("broad") + "/b.tsv";
  ASSERT_TRUE(WriteFileAtomically(path,
                                  "query\tfield\tvalues\n"
                                  "a\ttrack.mood\tx\n")
                  .ok());
  EXPECT_THAT(Message(ReadBroadQueries(path).status()),
              HasSubstr("b.tsv:2: field 'track.mood'"));
}

TEST(BroadQueriesTest, GenresMatchAsWholeWords) {
  EXPECT_TRUE(NamesGenre("contemporary country, country", {"Country"}));
  EXPECT_TRUE(NamesGenre("News & Politics", {"x", "news"}));
  EXPECT_FALSE(NamesGenre("Newsletter", {"News"}));
  EXPECT_FALSE(NamesGenre("", {"News"}));
  EXPECT_FALSE(NamesGenre("Pop", {""}));
}

}  // namespace
}  // namespace quaver
