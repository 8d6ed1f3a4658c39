// Tests of what a run reads: given pairs, a catalogue, hashes, errors.
#include "quaver/train/training_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"

namespace quaver {
namespace {

using testing::HasSubstr;

std::string Write(const std::string& name, const std::string& content) {
  const std::string path = testing::TempDir() + "/quaver_training_" + name;
  EXPECT_TRUE(WriteFileAtomically(path, content).ok());
  return path;
}

std::string Tracks(int count) {
  std::string content = "id\ttitle\tartist\n";
  for (int i = 0; i < count; ++i) {
    content += fmt::format("{}\tSilent Highway {}\tGolden Foxes\n", i, 100 + i);
  }
  return Write(fmt::format("{}.tsv", count), content);
}

TEST(TrainingDataTest, PairsAreGivenInTheirOrderAndComparable) {
  const std::string path =
      Write("pairs.tsv", "Beetles\tThe Beatles\n\tnothing typed\nHlep!\tHelp!");
  const auto data = ReadTrainingData({.pairs = path});
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_TRUE(data->texts.empty());
  EXPECT_EQ(data->maker->Make(0).typed, "beetles");
  EXPECT_EQ(data->maker->Make(0).meant, "the beatles");
  EXPECT_EQ(data->maker->Make(1).meant, "help");
  EXPECT_EQ(data->maker->Make(2).typed, "beetles");
  const auto again = ReadTrainingData({.pairs = path});
  EXPECT_EQ(again->hash, data->hash);
}

TEST(TrainingDataTest, TheHashIsOfAllThatIsRead) {
  const auto hash = [](const TrainingSource& source) {
    const auto data = ReadTrainingData(source);
    EXPECT_TRUE(data.ok()) << data.status();
    return data.ok() ? data->hash : "";
  };
  const std::string one = Tracks(30), other = Tracks(31);
  const std::string words = Write("words.tsv", "hihgway\thighway\n");
  EXPECT_EQ(hash({.catalogue = {one}}), hash({.catalogue = {one}}));
  EXPECT_NE(hash({.catalogue = {one}}), hash({.catalogue = {other}}));
  EXPECT_NE(hash({.catalogue = {one}}),
            hash({.catalogue = {one}, .misspellings = words}));
}

TEST(TrainingDataTest, ErrorsNameTheFileAndTheLine) {
  const std::string no_tab = Write("no_tab.tsv", "a\tb\nc d\n");
  EXPECT_THAT(Message(ReadTrainingData({.pairs = no_tab}).status()),
              HasSubstr(no_tab + ":2: expected what is typed, a tab"));
  EXPECT_THAT(Message(ReadTrainingData({.pairs = "/nowhere"}).status()),
              HasSubstr("/nowhere"));
  EXPECT_FALSE(ReadTrainingData({.pairs = Write("empty.tsv", "")}).ok());
  EXPECT_THAT(Message(ReadTrainingData({.catalogue = {"/nowhere"}}).status()),
              HasSubstr("/nowhere"));
  EXPECT_FALSE(
      ReadTrainingData({.catalogue = {Write("one.tsv", "id\ttitle\tartist\n")}})
          .ok());
}

}  // namespace
}  // namespace quaver
