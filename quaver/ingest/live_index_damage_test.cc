// Tests of the live index against failures, damaged files and crashes.
#include <csignal>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "quaver/ingest/live_index_fixture.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;

using LiveIndexDamageTest = LiveIndexTest;

TEST_F(LiveIndexDamageTest, AFailedFlushLosesNothing) {
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

TEST_F(LiveIndexDamageTest, AFlushThatFailedBeforeIsDoneAtTheEnd) {
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

TEST_F(LiveIndexDamageTest, AFailingEncoderDelaysButLosesNothing) {
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

TEST_F(LiveIndexDamageTest, RefusesAnotherModelAndASecondWriter) {
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

TEST_F(LiveIndexDamageTest, RefusesWhatIsNoIndex) {
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(status), HasSubstr(folder_ + " holds no index"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "and leaves no trace";
}

TEST_F(LiveIndexDamageTest, RefusesDamagedFilesByName) {
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

// A query of another length than the vectors would end the process.
TEST_F(LiveIndexDamageTest, RefusesVectorsOfAnotherDimension) {
  Make({Track("1", "one")});
  Manifest manifest = LoadManifest(folder_).value();
  ++manifest.dimension;
  ASSERT_TRUE(SaveManifest(folder_, manifest).ok());
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), HasSubstr("index.json says"));
}

TEST_F(LiveIndexDamageTest, RefusesACatalogueThatIsBehindTheIndex) {
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

TEST_F(LiveIndexDamageTest, KilledAtAnyMomentNothingAcknowledgedIsLost) {
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
