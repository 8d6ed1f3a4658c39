// For tests: an index in a folder of its own, written to and looked into.
#pragma once

#include <unistd.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/ingest/build_index.h"
#include "quaver/ingest/hash_encoder.h"
#include "quaver/ingest/index_folder.h"
#include "quaver/ingest/live_index.h"

namespace quaver {

using Titled = std::map<std::string, std::string>;  // by id

class LiveIndexTest : public testing::Test {
 protected:
  // An index of these tracks, closed.
  void Make(const std::vector<Entity>& tracks) {
    const auto store = CatalogueStore::Open(folder_ + "/catalogue.db").value();
    ASSERT_TRUE(store->Upsert(tracks).ok());
    const auto report =
        BuildIndex({.folder = folder_, .model = HashModel(), .num_threads = 1},
                   *store, *encoder_);
    ASSERT_TRUE(report.ok()) << report.status();
    num_texts_ = encoder_->num_texts();
  }
  absl::Status Open() {
    config_.folder = folder_;
    auto index = LiveIndex::Open(config_, encoder_, metrics_);
    if (index.ok()) index_ = *std::move(index);
    return index.status();
  }
  void OpenOrDie() {
    const absl::Status status = Open();
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(WaitForAll().ok());
  }
  void Reopen() {
    index_ = nullptr;
    OpenOrDie();
  }
  absl::Status WaitForAll() {
    return index_->WaitFor(index_->Stats().value().last_sequence);
  }
  void Write(const std::vector<Entity>& tracks) {
    const auto sequence = index_->Upsert(tracks);
    ASSERT_TRUE(sequence.ok()) << sequence.status();
    const absl::Status status = index_->WaitFor(*sequence);
    ASSERT_TRUE(status.ok()) << status;
  }
  void Delete(const std::string& id) {
    const auto existed = index_->Delete(id);
    ASSERT_TRUE(existed.ok()) << existed.status();
    EXPECT_TRUE(*existed);
    ASSERT_TRUE(WaitForAll().ok());
  }
  // Live titles by id; fails where an id is alive twice.
  Titled Titles() {
    Titled titles;
    const auto snapshot = index_->snapshot();
    for (const SnapshotSegment& part : snapshot->segments) {
      for (uint32_t doc = 0; doc < part.segment->num_documents(); ++doc) {
        if (!part.Alive(doc)) continue;
        const DocumentView view = part.segment->document(doc);
        EXPECT_TRUE(titles.emplace(view.id, view.title).second) << view.id;
      }
    }
    return titles;
  }
  // The title of the live document that is nearest in meaning.
  std::string Nearest(const std::string& text) {
    std::string title;
    float best = -1;
    const auto snapshot = index_->snapshot();
    for (const SnapshotSegment& part : snapshot->segments) {
      if (part.segment->vectors() == nullptr) continue;
      const auto hits = part.segment->vectors()->Search(
          HashEncoder::Embed(text), {},
          [&](uint32_t doc) { return part.Alive(doc); });
      if (hits.empty() || hits[0].score <= best) continue;
      best = hits[0].score;
      title = part.segment->document(hits[0].item).title;
    }
    return title;
  }
  // Texts embedded since the last call, or since the index was made.
  int NumEmbedded() {
    const int before = num_texts_;
    num_texts_ = encoder_->num_texts();
    return num_texts_ - before;
  }
  std::string SegmentPath() const {
    return folder_ + "/" + LoadManifest(folder_).value().segments.at(0).file;
  }
  // A folder in the way of index.json's next version: no flush can succeed.
  std::string Obstacle() const {
    return fmt::format("{}/index.json.{}.tmp", folder_, getpid());
  }

  const std::string folder_ =
      NewFolder(testing::UnitTest::GetInstance()->current_test_info()->name());
  const std::shared_ptr<HashEncoder> encoder_ = std::make_shared<HashEncoder>();
  int num_texts_ = 0;
  Metrics metrics_;
  LiveIndexConfig config_ = {.folder = "", .model = HashModel()};
  std::unique_ptr<LiveIndex> index_;
};

}  // namespace quaver
