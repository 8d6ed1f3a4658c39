// Tests of the index that is written to while it is read.
#include "quaver/ingest/live_index.h"

#include <csignal>
#include <filesystem>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "quaver/ingest/build_index.h"
#include "quaver/ingest/hash_encoder.h"
#include "quaver/ingest/index_folder.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;

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
  std::map<std::string, std::string> Titles() {
    std::map<std::string, std::string> titles;
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

using Titled = std::map<std::string, std::string>;

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

TEST_F(LiveIndexTest, AFailedFlushLosesNothing) {
  Make({Track("0", "zero")});
  config_.flush_documents = 2;
  OpenOrDie();
  ASSERT_TRUE(MakeFolders(Obstacle()).ok());
  Write({Track("1", "one"), Track("2", "two"), Track("0", "changed")});
  const Titled titles = {
      {"track:0", "changed"}, {"track:1", "one"}, {"track:2", "two"}};
  EXPECT_EQ(Titles(), titles) << "found although it cannot be flushed";
  index_ = nullptr;  // its flush fails too
  EXPECT_EQ(LoadManifest(folder_).value().segments.size(), 1);
  std::filesystem::remove(Obstacle());
  OpenOrDie();  // replays
  EXPECT_EQ(Titles(), titles);
  Reopen();
  EXPECT_EQ(Titles(), titles);
  EXPECT_EQ(LoadManifest(folder_).value().segments.size(), 2);
}

TEST_F(LiveIndexTest, AFlushThatFailedBeforeIsDoneAtTheEnd) {
  Make({});
  config_.flush_documents = 1;
  OpenOrDie();
  ASSERT_TRUE(MakeFolders(Obstacle()).ok());
  Write({Track("1", "one")});
  index_->WaitFor(1'000'000).IgnoreError();  // until the flush has failed
  std::filesystem::remove(Obstacle());
  Reopen();
  EXPECT_EQ(NumEmbedded(), 1);
  EXPECT_EQ(Titles(), (Titled{{"track:1", "one"}}));
}

TEST_F(LiveIndexTest, AFailingEncoderDelaysButLosesNothing) {
  Make({Track("0", "zero")});
  OpenOrDie();
  encoder_->FailAfter(encoder_->num_texts());
  const uint64_t sequence = index_->Upsert({Track("1", "one")}).value();
  const absl::Status status = index_->WaitFor(sequence);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(Titles(), (Titled{{"track:0", "zero"}}));
  index_ = nullptr;
  encoder_->FailAfter(1'000'000);
  OpenOrDie();
  EXPECT_EQ(Titles(), (Titled{{"track:0", "zero"}, {"track:1", "one"}}));
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

TEST_F(LiveIndexTest, RefusesAnotherModelAndASecondWriter) {
  Make({Track("1", "one")});
  config_.model = {"other", "fedcba9876543210"};
  absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("hash (0123456789abcdef)"));
  EXPECT_THAT(Message(status), HasSubstr("other (fedcba9876543210)"));
  config_.model = HashModel();
  OpenOrDie();
  status = LiveIndex::Open(config_, encoder_, metrics_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr(std::to_string(getpid())));
  EXPECT_EQ(Titles().size(), 1);
}

TEST_F(LiveIndexTest, RefusesWhatIsNoIndex) {
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(status), HasSubstr(folder_ + " holds no index"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "and leaves no trace";
}

TEST_F(LiveIndexTest, RefusesDamagedFilesByName) {
  Make({Track("1", "one")});
  const std::string manifest = ReadFile(folder_ + "/index.json").value();
  const std::string path = SegmentPath();
  const std::string segment = ReadFile(path).value();
  for (size_t byte = 0; byte < segment.size(); byte += 97) {
    std::string bad = segment;
    bad[byte] ^= 1;
    ASSERT_TRUE(WriteFileAtomically(path, bad).ok());
    const absl::Status status = Open();
    ASSERT_FALSE(status.ok()) << byte;
    ASSERT_THAT(Message(status), HasSubstr(path)) << byte;
  }
  ASSERT_TRUE(WriteFileAtomically(path, segment.substr(0, 100)).ok());
  EXPECT_THAT(Message(Open()), HasSubstr(path));
  std::filesystem::remove(path);
  EXPECT_EQ(Open().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(Open()), HasSubstr(path));
  ASSERT_TRUE(WriteFileAtomically(path, segment).ok());

  for (const char* bad : {"", "{", "[]", "{\"format\": \"quaver.index\"}"}) {
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/index.json", bad).ok());
    EXPECT_EQ(Open().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(Message(Open()), HasSubstr(folder_ + "/index.json")) << bad;
  }
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/index.json", manifest).ok());
  OpenOrDie();
  EXPECT_EQ(Titles().size(), 1);
}

TEST_F(LiveIndexTest, RefusesACatalogueThatIsBehindTheIndex) {
  Make({Track("1", "one")});
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().filename().string().starts_with("catalogue.db")) {
      std::filesystem::remove(entry.path());
    }
  }
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr(folder_ + "/catalogue.db"));
}

// A child writes one track after the other and says so; after some it is
// killed. Returns how many it had acknowledged.
int WriteAndKill(LiveIndexConfig config, int first, int enough) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    Metrics metrics;
    const auto index =
        LiveIndex::Open(config, std::make_shared<HashEncoder>(), metrics);
    if (!index.ok()) _exit(1);
    for (int i = first;; ++i) {
      if (!(*index)->Upsert({Track(std::to_string(i), "t")}).ok()) _exit(2);
      if (write(ends[1], "+", 1) != 1) _exit(3);
    }
  }
  close(ends[1]);
  int acknowledged = 0;
  char byte = 0;
  while (acknowledged < enough && read(ends[0], &byte, 1) == 1) ++acknowledged;
  kill(child, SIGKILL);
  while (read(ends[0], &byte, 1) == 1) ++acknowledged;
  close(ends[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child failed by itself: " << status;
  return acknowledged;
}

TEST_F(LiveIndexTest, KilledAtAnyMomentNothingAcknowledgedIsLost) {
  Make({});
  config_.folder = folder_;
  config_.flush_documents = 4;
  config_.max_segments = 2;
  int next = 0;
  for (const int enough : {1, 6, 17, 40}) {
    next += WriteAndKill(config_, next, enough);
    OpenOrDie();
    const Titled titles = Titles();
    for (int i = 0; i < next; ++i) {
      EXPECT_TRUE(titles.contains(fmt::format("track:{}", i))) << i;
    }
    EXPECT_LE(titles.size(), next + 4u) << "one unacknowledged a round";
    index_ = nullptr;
  }
}

}  // namespace
}  // namespace quaver
