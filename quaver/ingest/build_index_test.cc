// Tests of the bulk build: reuse, interruption, a full disk, bad files.
#include "quaver/ingest/build_index.h"

#include <csignal>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "quaver/ingest/hash_encoder.h"
#include "quaver/ingest/import_files.h"
#include "quaver/ingest/index_folder.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;

class BuildIndexTest : public testing::Test {
 protected:
  absl::StatusOr<BuildReport> Build() {
    return BuildIndex({.folder = folder_, .model = model_, .num_threads = 2},
                      *store_, encoder_);
  }
  BuildReport BuildOrDie() {
    const auto report = Build();
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(BuildReport{});
  }
  void Upsert(const std::vector<Entity>& entities) {
    const auto sequence = store_->Upsert(entities);
    ASSERT_TRUE(sequence.ok()) << sequence.status();
  }
  Snapshot OpenOrDie() {
    return OpenSnapshot(folder_, LoadManifest(folder_).value()).value();
  }
  int NumFiles(const std::string& prefix) const {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      count += entry.path().filename().string().starts_with(prefix) ? 1 : 0;
    }
    return count;
  }

  const std::string folder_ =
      NewFolder(testing::UnitTest::GetInstance()->current_test_info()->name());
  ModelIdentity model_ = HashModel();
  HashEncoder encoder_;
  const std::unique_ptr<CatalogueStore> store_ =
      CatalogueStore::Open(folder_ + "/catalogue.db").value();
};

TEST_F(BuildIndexTest, MakesOneSegmentOfAllEntities) {
  Entity first = Track("1", "Blue Train", 1);
  first.artist = "John Coltrane";
  Upsert({first, Track("2", "Giant Steps", 2)});
  const BuildReport report = BuildOrDie();
  EXPECT_EQ(report.documents, 3);  // an artist among them
  EXPECT_EQ(report.embedded, 2);
  EXPECT_EQ(report.reused, 0);

  const Manifest manifest = LoadManifest(folder_).value();
  EXPECT_EQ(manifest.model, "hash");
  EXPECT_EQ(manifest.dimension, HashEncoder::D);
  EXPECT_EQ(manifest.sequence, store_->LastSequence().value());
  const Snapshot snapshot = OpenOrDie();
  ASSERT_EQ(snapshot.segments.size(), 1);
  EXPECT_EQ(snapshot.num_live(), 3);
  const Segment& segment = *snapshot.segments[0].segment;
  ASSERT_NE(segment.vectors(), nullptr);
  EXPECT_EQ(segment.vectors()->size(), 2) << "an artist has no vector";
  const uint32_t doc = segment.Find("track:2").value();
  const auto hits =
      segment.vectors()->Search(HashEncoder::Embed("Giant Steps"), {}, nullptr);
  ASSERT_FALSE(hits.empty());
  EXPECT_EQ(hits[0].item, doc);
  EXPECT_GT(hits[0].score, 0.99f);
  EXPECT_EQ(NumFiles("embeddings."), 0);
}

TEST_F(BuildIndexTest, AnEmptyCatalogueMakesAnEmptyIndex) {
  EXPECT_EQ(BuildOrDie().documents, 0);
  EXPECT_EQ(OpenOrDie().num_live(), 0);
}

TEST_F(BuildIndexTest, EmbedsOnlyTextsThatAreNew) {
  Upsert({Track("1", "one"), Track("2", "two"), Track("3", "three")});
  EXPECT_EQ(BuildOrDie().embedded, 3);
  Upsert({Track("1", "one", 5), Track("2", "another")});
  ASSERT_TRUE(store_->Delete("track:3").ok());
  const BuildReport report = BuildOrDie();
  EXPECT_EQ(report.documents, 2);
  EXPECT_EQ(report.reused, 1);
  EXPECT_EQ(report.embedded, 1);
  EXPECT_EQ(encoder_.num_texts(), 4);
  EXPECT_FALSE(OpenOrDie().Find("track:3"));
  EXPECT_EQ(NumFiles("segment-"), 1) << "the old segment is not needed";
}

TEST_F(BuildIndexTest, AnotherModelEmbedsEverythingAgain) {
  Upsert({Track("1", "one"), Track("2", "two")});
  BuildOrDie();
  model_.hash = "fedcba9876543210";
  const BuildReport report = BuildOrDie();
  EXPECT_EQ(report.reused, 0);
  EXPECT_EQ(report.embedded, 2);
}

TEST_F(BuildIndexTest, ADamagedOldIndexIsBuiltAnew) {
  Upsert({Track("1", "one"), Track("2", "two")});
  BuildOrDie();
  const std::string path =
      folder_ + "/" + LoadManifest(folder_).value().segments.at(0).file;
  std::string bytes = ReadFile(path).value();
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
  EXPECT_EQ(BuildOrDie().embedded, 2);
  EXPECT_EQ(OpenOrDie().num_live(), 2);
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/index.json", "{").ok());
  EXPECT_EQ(BuildOrDie().embedded, 2);
  EXPECT_EQ(OpenOrDie().num_live(), 2);
}

TEST_F(BuildIndexTest, AnInterruptedBuildGoesOnWhereItWas) {
  constexpr int kTexts = 8'500;  // more than the 8,192 of a round
  std::vector<Entity> tracks;
  for (int i = 0; i < kTexts; ++i) {
    tracks.push_back(Track(std::to_string(i), fmt::format("t{}", i)));
  }
  Upsert(tracks);
  encoder_.FailAfter(8'300);
  const auto failed = Build();
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(LoadManifest(folder_).ok());
  encoder_.FailAfter(1'000'000);
  const BuildReport report = BuildOrDie();
  EXPECT_EQ(report.reused, 8'192);
  EXPECT_EQ(report.embedded, kTexts - 8'192);
  EXPECT_EQ(NumFiles("embeddings."), 0);
  const Snapshot snapshot = OpenOrDie();
  const Segment& segment = *snapshot.segments.at(0).segment;
  for (const char* title : {"t0", "t8000", "t8499"}) {
    const auto hits =
        segment.vectors()->Search(HashEncoder::Embed(title), {}, nullptr);
    EXPECT_EQ(segment.document(hits.at(0).item).title, title);
  }
}

// A limit on file sizes stands for the full disk: both fail in write().
TEST_F(BuildIndexTest, AFullDiskKeepsTheOldIndexAndTheEmbeddings) {
  Upsert({Track("old", "what was there")});
  BuildOrDie();
  const std::string old_index = ReadFile(folder_ + "/index.json").value();
  std::vector<Entity> tracks;
  for (int i = 0; i < 400; ++i) {
    tracks.push_back(Track(std::to_string(i), fmt::format("t{}", i)));
    tracks.back().description =
        std::string(1'000, static_cast<char>('a' + i % 26)) + std::to_string(i);
  }
  Upsert(tracks);

  struct rlimit old_limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  // The embeddings take 58 KB, the descriptions of the segment 400.
  const struct rlimit limit = {200'000, old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const absl::Status status = Build().status();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);

  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(Message(status), HasSubstr(folder_ + "/segment-"));
  EXPECT_EQ(ReadFile(folder_ + "/index.json").value(), old_index);
  EXPECT_EQ(OpenOrDie().num_live(), 1);
  EXPECT_EQ(NumFiles("segment-"), 1) << "nothing half written stays";
  const BuildReport report = BuildOrDie();
  EXPECT_EQ(report.embedded, 0);
  EXPECT_EQ(report.reused, 401);
  EXPECT_EQ(OpenOrDie().num_live(), 401);
}

TEST_F(BuildIndexTest, ImportsFilesAndListsBadLines) {
  const std::string good = folder_ + "/good.tsv";
  const std::string mixed = folder_ + "/mixed.tsv";
  ASSERT_TRUE(WriteFileAtomically(good, "id\ttitle\n1\tone\n2\ttwo\n").ok());
  ASSERT_TRUE(WriteFileAtomically(
                  mixed, "id\ttitle\tyear\n3\tthree\t1999\n4\n5\t\t2000\n")
                  .ok());
  auto report = ImportFiles({good}, {}, folder_, false, *store_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->entities, 2);
  EXPECT_EQ(report->bad_lines, 0);
  EXPECT_EQ(report->rejected_file, "");
  EXPECT_EQ(NumFiles("rejected"), 0);

  report = ImportFiles({mixed}, {}, folder_, false, *store_);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->entities, 1);
  EXPECT_EQ(report->bad_lines, 2);
  const std::string rejected = ReadFile(report->rejected_file).value();
  EXPECT_THAT(rejected, HasSubstr(mixed + "\t3\t"));
  EXPECT_THAT(rejected, HasSubstr(mixed + "\t4\t"));
  EXPECT_EQ(store_->Count(EntityType::kTrack).value(), 3);
}

TEST_F(BuildIndexTest, AMissingFileIsNamedAndWhatCameBeforeStays) {
  const std::string good = folder_ + "/good.tsv";
  ASSERT_TRUE(WriteFileAtomically(good, "id\ttitle\n1\tone\n").ok());
  const auto report =
      ImportFiles({good, folder_ + "/none.tsv"}, {}, folder_, false, *store_);
  EXPECT_EQ(report.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(report.status()), HasSubstr(folder_ + "/none.tsv"));
  EXPECT_EQ(store_->Count(EntityType::kTrack).value(), 1);
}

TEST(ModelIdentityTest, ChangesWithTheModelAlone) {
  const std::string folder = NewFolder("model") + "/tiny";
  ASSERT_TRUE(MakeFolders(folder).ok());
  EXPECT_EQ(IdentifyModel(folder).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteFileAtomically(folder + "/config.json", "{}").ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "/model.safetensors", "1").ok());
  const ModelIdentity model = IdentifyModel(folder).value();
  EXPECT_EQ(model.name, "tiny");
  EXPECT_EQ(model.hash.size(), 16);
  ASSERT_TRUE(WriteFileAtomically(folder + "/README.md", "words").ok());
  EXPECT_EQ(IdentifyModel(folder + "/").value().hash, model.hash);
  EXPECT_EQ(IdentifyModel(folder + "/").value().name, "tiny");
  ASSERT_TRUE(WriteFileAtomically(folder + "/model.safetensors", "2").ok());
  EXPECT_NE(IdentifyModel(folder).value().hash, model.hash);
}

}  // namespace
}  // namespace quaver
