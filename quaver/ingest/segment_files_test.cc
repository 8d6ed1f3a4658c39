// Tests of the segment files of an index: what a merge takes and keeps.
#include "quaver/ingest/segment_files.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/ingest/hash_encoder.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

TEST(ChooseMergeTest, TakesTheSmallest) {
  EXPECT_THAT(ChooseMerge({5, 7}, 1), ElementsAre(0, 1));
  EXPECT_THAT(ChooseMerge({1'000, 100, 20, 3, 4}, 4), ElementsAre(3, 4));
  EXPECT_THAT(ChooseMerge({1'000, 100, 14, 3, 4}, 4), ElementsAre(3, 4, 2));
  EXPECT_THAT(ChooseMerge({1'000, 100, 14, 3, 4}, 2), ElementsAre(3, 4, 2, 1))
      << "as many as it takes";
  EXPECT_THAT(ChooseMerge({0, 9, 0}, 2), ElementsAre(0, 2));
}

TEST(ChooseMergeTest, RewritesADocumentFewTimes) {
  constexpr size_t kMaxSegments = 8;
  std::vector<uint32_t> segments = {234'000};
  uint64_t written = 0;
  for (int flush = 0; flush < 5'000; ++flush) {
    segments.push_back(2'000);
    if (segments.size() <= kMaxSegments) continue;
    std::vector<size_t> places = ChooseMerge(segments, kMaxSegments);
    ASSERT_GE(places.size(), 2);
    std::sort(places.begin(), places.end());
    uint32_t merged = 0;
    for (size_t i = places.size(); i-- > 0;) {
      merged += segments[places[i]];
      segments.erase(segments.begin() + static_cast<ptrdiff_t>(places[i]));
    }
    segments.push_back(merged);
    written += merged;
    ASSERT_LE(segments.size(), kMaxSegments);
  }
  EXPECT_EQ(std::accumulate(segments.begin(), segments.end(), 0u), 10'234'000);
  // 6.1 times; merging all but the largest each time would be 183 times.
  EXPECT_LT(written, 7 * 10'234'000ull);
}

class SegmentFilesTest : public testing::Test {
 protected:
  // Documents by title, which is also the id.
  static std::vector<Document> Documents(
      const std::vector<std::string>& titles) {
    std::vector<Document> documents;
    for (const std::string& title : titles) {
      documents.push_back({.id = title,
                           .title = title,
                           .embedding = HashEncoder::Embed(title)});
    }
    return documents;
  }
  void Append(const std::vector<std::string>& titles) {
    const absl::Status status = files_.Append(Documents(titles), ++sequence_);
    ASSERT_TRUE(status.ok()) << status;
  }
  void Delete(const std::string& title) {
    files_.Delete({{.sequence = ++sequence_, .id = title, .entity = {}}});
  }
  // Live titles as index.json and its files have them.
  std::vector<std::string> SavedTitles() const {
    const Manifest manifest = LoadManifest(folder_).value();
    return LiveTitles(OpenSnapshot(folder_, manifest).value().segments);
  }
  static std::vector<std::string> LiveTitles(
      const std::vector<SnapshotSegment>& parts) {
    std::vector<std::string> titles;
    for (const SnapshotSegment& part : parts) {
      for (uint32_t doc = 0; doc < part.segment->num_documents(); ++doc) {
        if (!part.Alive(doc)) continue;
        titles.emplace_back(part.segment->document(doc).title);
      }
    }
    return titles;
  }

  const std::string folder_ =
      NewFolder(testing::UnitTest::GetInstance()->current_test_info()->name());
  uint64_t sequence_ = 0;
  SegmentFiles files_{folder_, Manifest{.dimension = HashEncoder::D}, {}};
};

TEST_F(SegmentFilesTest, AMergeKeepsWhatIsAlive) {
  Append({"a", "b", "c"});
  Append({"d", "e"});
  Append({"f"});
  Delete("b");
  const std::vector<SnapshotSegment> sources = {files_.parts()[0],
                                                files_.parts()[1]};
  const auto merged = MergeSegments(folder_, sources, HashEncoder::D);
  ASSERT_TRUE(merged.ok()) << merged.status();
  // Written while the merge was under way.
  Delete("c");
  Delete("d");
  Append({"c", "g"});
  ASSERT_TRUE(files_.Replace(sources, *merged).ok());
  EXPECT_EQ(files_.parts().size(), 3);
  EXPECT_THAT(LiveTitles(files_.parts()),
              UnorderedElementsAre("a", "c", "e", "f", "g"));
  EXPECT_THAT(SavedTitles(), UnorderedElementsAre("a", "c", "e", "f", "g"));
  RemoveUnusedFiles(folder_, files_.manifest());
  EXPECT_EQ(SavedTitles().size(), 5);
}

TEST_F(SegmentFilesTest, AMergeKeepsEmbeddings) {
  Append({"red apple", "green pear"});
  Append({"blue plum"});
  for (int round = 0; round < 10; ++round) {
    const std::vector<SnapshotSegment> sources = files_.parts();
    const auto merged = MergeSegments(folder_, sources, HashEncoder::D);
    ASSERT_TRUE(merged.ok()) << merged.status();
    ASSERT_TRUE(files_.Replace(sources, *merged).ok());
    Append({fmt::format("round {}", round)});
  }
  const Segment& segment = *files_.parts()[0].segment;
  // Each merge rounds to int8 anew: about 2e-5 of a cosine.
  EXPECT_GT(segment.vectors()->Score(HashEncoder::Embed("blue plum"),
                                     segment.Find("blue plum").value()),
            0.999f);
}

TEST_F(SegmentFilesTest, SegmentsOfTheDeadAloneVanish) {
  Append({"a"});
  Append({"b"});
  Delete("a");
  Delete("b");
  const std::vector<SnapshotSegment> sources = files_.parts();
  const auto merged = MergeSegments(folder_, sources, HashEncoder::D);
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_EQ(merged->segment, nullptr);
  ASSERT_TRUE(files_.Replace(sources, *merged).ok());
  EXPECT_TRUE(files_.parts().empty());
  EXPECT_TRUE(SavedTitles().empty());
}

TEST_F(SegmentFilesTest, WhatFailsChangesNothing) {
  Append({"a"});
  Append({"b"});
  Delete("a");
  // A folder in the way of index.json's next version.
  const std::string obstacle =
      fmt::format("{}/index.json.{}.tmp", folder_, getpid());
  ASSERT_TRUE(MakeFolders(obstacle).ok());
  EXPECT_FALSE(files_.Append(Documents({"c"}), 9).ok());
  const auto merged =
      MergeSegments(folder_, files_.parts(), HashEncoder::D).value();
  EXPECT_FALSE(files_.Replace(files_.parts(), merged).ok());
  EXPECT_EQ(files_.parts().size(), 2);
  EXPECT_EQ(files_.saved_sequence(), 2);
  EXPECT_THAT(SavedTitles(), UnorderedElementsAre("a", "b"));

  std::filesystem::remove(obstacle);
  ASSERT_TRUE(files_.Append(Documents({"c"}), 9).ok());
  EXPECT_THAT(SavedTitles(), UnorderedElementsAre("b", "c"));
  EXPECT_EQ(LoadManifest(folder_).value().sequence, 9);
}

}  // namespace
}  // namespace quaver
