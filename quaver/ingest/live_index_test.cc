// Tests of the index that is written to while it is read.
#include "quaver/ingest/live_index.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "quaver/ingest/live_index_fixture.h"

namespace quaver {
namespace {

TEST_F(LiveIndexTest, FindsWhatIsUpserted) {
  Make({Track("1", "red apple")});
  OpenOrDie();
  Write({Track("2", "blue plum"), Track("3", "green pear")});
  EXPECT_EQ(Titles(), (Titled{{"track:1", "red apple"},
                              {"track:2", "blue plum"},
                              {"track:3", "green pear"}}));
  EXPECT_EQ(Nearest("plum blue"), "blue plum");
  EXPECT_EQ(Nearest("apple"), "red apple");
  EXPECT_EQ(index_->Get("track:3").value().title, "green pear");
  const IndexStats stats = index_->Stats().value();
  EXPECT_EQ(stats.documents[0], 3);
  EXPECT_EQ(stats.vectors, 3);
  EXPECT_EQ(stats.segments, 2);
  EXPECT_EQ(stats.delta_documents, 2);
  EXPECT_EQ(stats.sequence, stats.last_sequence);
}

TEST_F(LiveIndexTest, WhatIsDeletedDisappears) {
  Make({Track("1", "red apple"), Track("2", "blue plum")});
  OpenOrDie();
  Write({Track("3", "green pear")});
  const auto before = index_->snapshot();
  Delete("track:1");  // in a file
  Delete("track:3");  // in the delta
  EXPECT_EQ(Titles(), (Titled{{"track:2", "blue plum"}}));
  EXPECT_EQ(Nearest("red apple"), "blue plum");
  EXPECT_EQ(index_->Stats().value().documents[0], 1);
  EXPECT_FALSE(index_->Delete("track:1").value());
  EXPECT_EQ(before->num_live(), 3) << "readers keep what they hold";
  Reopen();
  EXPECT_EQ(Titles(), (Titled{{"track:2", "blue plum"}}));
  Write({Track("1", "red apple again")});
  EXPECT_EQ(Titles().at("track:1"), "red apple again");
}

TEST_F(LiveIndexTest, AReplacedDocumentIsThereOnce) {
  Make({Track("1", "first")});
  OpenOrDie();
  for (int i = 0; i < 3; ++i) {
    const std::string title = fmt::format("title {}", i);
    Write({Track("1", title), Track("2", title)});
    EXPECT_EQ(Titles(), (Titled{{"track:1", title}, {"track:2", title}}));
  }
  Reopen();
  EXPECT_EQ(Titles(), (Titled{{"track:1", "title 2"}, {"track:2", "title 2"}}));
}

TEST_F(LiveIndexTest, APopularityOrAttributeEmbedsNothing) {
  Make({Track("1", "one", 1), Track("2", "two", 2), Track("3", "three", 3)});
  OpenOrDie();
  Write({Track("4", "four")});
  EXPECT_EQ(NumEmbedded(), 1);
  Entity changed = Track("1", "one", 3);
  changed.attributes["mood"] = "calm";
  Write({changed, Track("4", "four", 3)});
  EXPECT_EQ(NumEmbedded(), 0);
  EXPECT_EQ(Nearest("one"), "one");
  EXPECT_EQ(Nearest("four"), "four");
  const auto snapshot = index_->snapshot();
  for (const char* id : {"track:1", "track:4"}) {
    const auto [segment, doc] = snapshot->Find(id).value();
    EXPECT_GT(snapshot->segments[segment].segment->document(doc).popularity,
              0.6f);
  }
  Write({Track("1", "another", 3)});
  EXPECT_EQ(NumEmbedded(), 1);
}

TEST_F(LiveIndexTest, AFlushIsNotReplayed) {
  Make({Track("0", "zero")});
  config_.flush_documents = 3;
  OpenOrDie();
  Write({Track("1", "one"), Track("2", "two"), Track("3", "three")});
  Delete("track:0");  // when it is done, the flush before it is
  Write({Track("4", "four")});
  const IndexStats stats = index_->Stats().value();
  EXPECT_EQ(stats.segments, 3);
  EXPECT_EQ(stats.delta_documents, 1);
  EXPECT_EQ(LoadManifest(folder_).value().segments.size(), 2);
  EXPECT_EQ(NumEmbedded(), 4);
  // As a crash would leave it: the worker has nothing to do.
  const std::string copy = NewFolder("copy");
  std::filesystem::copy(folder_, copy,
                        std::filesystem::copy_options::recursive);
  Titled titles = Titles();
  index_ = nullptr;
  config_.folder = copy;
  auto index = LiveIndex::Open(config_, encoder_, metrics_);
  ASSERT_TRUE(index.ok()) << index.status();
  index_ = *std::move(index);
  ASSERT_TRUE(WaitForAll().ok());
  EXPECT_EQ(NumEmbedded(), 1) << "only what was not flushed";
  EXPECT_EQ(Titles(), titles);
}

TEST_F(LiveIndexTest, AStopLeavesNothingToReplay) {
  Make({});
  OpenOrDie();
  Write({Track("1", "one"), Track("2", "two")});
  EXPECT_EQ(NumEmbedded(), 2);
  Reopen();
  EXPECT_EQ(NumEmbedded(), 0);
  EXPECT_EQ(Titles().size(), 2);
  EXPECT_EQ(index_->Stats().value().delta_documents, 0);
}

TEST_F(LiveIndexTest, MergesKeepEverythingAndFewSegments) {
  Make({Track("0", "zero")});
  config_.flush_documents = 1;
  config_.max_segments = 3;
  OpenOrDie();
  Titled expected = {{"track:0", "zero"}};
  for (int i = 1; i <= 40; ++i) {
    const std::string key = std::to_string(i % 25);
    const std::string title = fmt::format("title {}", i);
    Write({Track(key, title)});
    expected["track:" + key] = title;
    if (i % 5 != 0) continue;
    Delete("track:" + key);
    expected.erase("track:" + key);
  }
  EXPECT_EQ(Titles(), expected);
  EXPECT_EQ(NumEmbedded(), 40);

  config_.flush_documents = 1'000;  // no more files but of merges
  Reopen();
  for (int i = 0; i < 10'000; ++i) {
    Write({Track("last", fmt::format("last {}", i))});
    expected["track:last"] = fmt::format("last {}", i);
    if (LoadManifest(folder_).value().segments.size() <= 3) break;
  }
  EXPECT_LE(LoadManifest(folder_).value().segments.size(), 3);
  EXPECT_EQ(Titles(), expected);
  EXPECT_EQ(Nearest("title 38"), "title 38");
  Reopen();
  EXPECT_EQ(Titles(), expected);
  index_ = nullptr;
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    files += entry.path().extension() == ".qvs" ? 1 : 0;
  }
  EXPECT_EQ(files, LoadManifest(folder_).value().segments.size());
}

TEST_F(LiveIndexTest, LongTextsDoNotHoldUpShortOnes) {
  Make({});
  OpenOrDie();
  std::vector<Entity> shows;
  for (int i = 0; i < 50; ++i) {
    Entity show = Track("", fmt::format("show {}", i));
    show.type = EntityType::kShow;
    show.id = fmt::format("show:{}", i);
    show.description = std::string(1'000, 'd');
    shows.push_back(std::move(show));
  }
  shows.back().description = std::string(100'000, 'd');  // more than a batch
  Write(shows);
  EXPECT_EQ(Titles().size(), 50);
  EXPECT_EQ(NumEmbedded(), 50);
}

}  // namespace
}  // namespace quaver
