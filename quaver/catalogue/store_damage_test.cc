// Tests of the store against damaged files, foreign files and crashes.
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/catalogue/internal/sqlite.h"
#include "quaver/catalogue/store.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;

std::string NewPath(const std::string& name) {
  const std::string folder =
      fmt::format("{}quaver_damage_{}_{}", testing::TempDir(), name, getpid());
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(MakeFolders(folder).ok());
  return folder + "/catalogue.db";
}

std::unique_ptr<CatalogueStore> OpenOrDie(const std::string& path) {
  auto store = CatalogueStore::Open(path);
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

Entity Track(const std::string& key, const std::string& title,
             const std::string& artist, const std::string& album = "",
             double popularity = 0) {
  Entity entity;
  entity.id = "track:" + key;
  entity.title = title;
  entity.artist = artist;
  entity.album = album;
  entity.popularity = popularity;
  return entity;
}

std::vector<std::string> AllIds(CatalogueStore& store) {
  std::vector<std::string> ids;
  EXPECT_TRUE(store
                  .ForEach([&](const Entity& entity) {
                    ids.push_back(entity.id);
                    return absl::OkStatus();
                  })
                  .ok());
  return ids;
}

void ExpectRefused(const std::string& path, absl::StatusCode code,
                   const std::string& words) {
  const std::string before = ReadFile(path).value();
  const auto store = CatalogueStore::Open(path);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.status().code(), code) << store.status();
  EXPECT_THAT(Message(store.status()), HasSubstr(words));
  EXPECT_THAT(Message(store.status()), HasSubstr(path));
  EXPECT_EQ(ReadFile(path).value(), before) << "a refused file is not touched";
}

TEST(StoreDamageTest, RefusesDamagedAndForeignFiles) {
  const std::string path = NewPath("damage");
  std::vector<Entity> tracks;
  for (int i = 0; i < 2000; ++i) {
    tracks.push_back(Track(std::to_string(i), fmt::format("title {}", i), "A"));
  }
  ASSERT_TRUE(OpenOrDie(path)->Upsert(tracks).ok());
  const std::string good = ReadFile(path).value();
  const auto damaged = absl::StatusCode::kDataLoss;

  ASSERT_TRUE(WriteFileAtomically(path, "id\ttitle\n1\tnot a database").ok());
  ExpectRefused(path, damaged, "re-ingest from the source files");
  ASSERT_TRUE(WriteFileAtomically(path, good.substr(0, good.size() / 2)).ok());
  ExpectRefused(path, damaged, "re-ingest from the source files");
  // One page overwritten at a time; the first has the application id.
  Random random(1);
  for (size_t page = 1; page < good.size() / 4096; ++page) {
    std::string bad = good;
    for (int i = 0; i < 4096; ++i) {
      bad[page * 4096 + i] = static_cast<char>(random.Next());
    }
    ASSERT_TRUE(WriteFileAtomically(path, bad).ok());
    ExpectRefused(path, damaged, "re-ingest from the source files");
  }
  ASSERT_TRUE(WriteFileAtomically(path, good).ok());
  EXPECT_TRUE(OpenOrDie(path)->Get("track:1999").ok());
}

TEST(StoreDamageTest, RefusesOtherProgramsAndVersions) {
  const std::string path = NewPath("foreign");
  const auto make = [&](const std::string& sql) {
    std::filesystem::remove(path);
    const auto database =
        Database::Open(path, Database::Mode::kReadWriteCreate).value();
    ASSERT_TRUE(database->Execute(sql).ok());
  };
  const auto precondition = absl::StatusCode::kFailedPrecondition;
  make("CREATE TABLE notes (text)");
  ExpectRefused(path, precondition, "another program");
  make("PRAGMA application_id = 1; CREATE TABLE t (x)");
  ExpectRefused(path, precondition, "another program");
  make(
      "PRAGMA application_id = 1366647158; PRAGMA user_version = 99;"
      "CREATE TABLE t (x)");
  ExpectRefused(path, precondition, "format 99");
  make(
      "PRAGMA application_id = 1366647158; PRAGMA user_version = 1;"
      "CREATE TABLE t (x)");
  EXPECT_EQ(CatalogueStore::Open(path).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(StoreDamageTest, NamesAPathThatCannotBeOpened) {
  const auto missing = CatalogueStore::Open("/nowhere/at/all.db").status();
  EXPECT_THAT(Message(missing), HasSubstr("/nowhere/at/all.db"));
  EXPECT_FALSE(CatalogueStore::Open(testing::TempDir()).ok());
}

// A limit on file sizes stands for the full disk: both fail in write().
TEST(StoreDamageTest, FullDiskFailsTheWriteAndLosesNothing) {
  const std::string path = NewPath("full");
  const auto store = OpenOrDie(path);
  ASSERT_TRUE(store->Upsert({Track("1", "kept", "A")}).ok());
  std::vector<Entity> large;
  for (int i = 0; i < 1000; ++i) {
    large.push_back(Track(std::to_string(i), "large", "B"));
    large.back().description = std::string(4000, 'd');
  }
  struct rlimit old_limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit = {1 << 20, old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const absl::Status status = store->Upsert(large).status();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(Message(status), HasSubstr(path));
  EXPECT_EQ(store->Get("track:1")->title, "kept");
  EXPECT_EQ(store->Count(EntityType::kTrack).value(), 1);
  EXPECT_TRUE(store->Upsert(large).ok()) << "once there is room again";
  EXPECT_EQ(OpenOrDie(path)->Count(EntityType::kTrack).value(), 1000);
}

constexpr int kMaxBatch = 40;

// What batch `number` writes: the same for child and parent. Ids repeat over
// batches, so that rows are replaced as well as inserted.
std::vector<Entity> CrashBatch(uint64_t seed, uint64_t number) {
  Random random(seed, number);
  std::vector<Entity> batch(1 + random.Below(kMaxBatch));
  for (Entity& entity : batch) {
    entity = Track(std::to_string(random.Below(500)),
                   fmt::format("title {}", number),
                   fmt::format("artist {}", random.Below(20)), "album",
                   static_cast<double>(random.Below(100)));
    entity.description = std::string(random.Below(2000), 'd');
  }
  return batch;
}

// Upserts until it is killed; writes a byte once a batch is acknowledged.
[[noreturn]] void CrashChild(const std::string& path, uint64_t seed,
                             uint64_t first_batch, int acknowledgements) {
  auto store = CatalogueStore::Open(path);
  if (!store.ok()) _exit(2);
  for (uint64_t number = first_batch;; ++number) {
    if (!(*store)->Upsert(CrashBatch(seed, number)).ok()) _exit(3);
    if (write(acknowledgements, "a", 1) != 1) _exit(4);
  }
}

// Runs a child, kills it after `num_batches` acknowledgements, and returns how
// many there were: what it committed while the kill was under way counts too
// where it still told us.
uint64_t RunAndKill(const std::string& path, uint64_t seed,
                    uint64_t first_batch, uint64_t num_batches) {
  int pipe_ends[2];
  EXPECT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  if (child == 0) CrashChild(path, seed, first_batch, pipe_ends[1]);
  close(pipe_ends[1]);
  uint64_t acknowledged = 0;
  char byte = 0;
  while (acknowledged < num_batches && read(pipe_ends[0], &byte, 1) == 1) {
    ++acknowledged;
  }
  kill(child, SIGKILL);
  while (read(pipe_ends[0], &byte, 1) == 1) ++acknowledged;
  close(pipe_ends[0]);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child failed by itself: " << status;
  return acknowledged;
}

TEST(StoreCrashTest, KilledAtAnyMomentNothingAcknowledgedIsLost) {
  const std::string path = NewPath("crash");
  const uint64_t seed = 20261123;
  std::map<std::string, Entity> expected;
  Random random(seed);
  uint64_t next_batch = 0;
  for (int round = 0; round < 5; ++round) {
    const uint64_t acknowledged =
        RunAndKill(path, seed, next_batch, 1 + random.Below(40));
    for (uint64_t i = 0; i < acknowledged; ++i) {
      for (Entity& entity : CrashBatch(seed, next_batch + i)) {
        expected[entity.id] = std::move(entity);
      }
    }
    next_batch += acknowledged;
    // One batch more may have been committed without word of it, whole.
    std::map<std::string, Entity> with_next = expected;
    for (Entity& entity : CrashBatch(seed, next_batch)) {
      with_next[entity.id] = std::move(entity);
    }
    const auto store = OpenOrDie(path);  // runs the integrity check
    std::map<std::string, Entity> found;
    ASSERT_TRUE(store
                    ->ForEach([&](const Entity& entity) {
                      if (entity.type == EntityType::kTrack) {
                        found[entity.id] = entity;
                      }
                      return absl::OkStatus();
                    })
                    .ok());
    EXPECT_TRUE(found == expected || found == with_next)
        << "round " << round << ", " << acknowledged << " acknowledged";
    if (found == with_next) {
      expected = std::move(with_next);
      ++next_batch;
    }
    const auto fresh = OpenOrDie(NewPath("crash_fresh"));
    std::vector<Entity> entities;
    for (const auto& [id, entity] : expected) entities.push_back(entity);
    ASSERT_TRUE(fresh->Upsert(entities).ok());
    EXPECT_EQ(AllIds(*store), AllIds(*fresh)) << "derived entities in step";
  }
}

}  // namespace
}  // namespace quaver
