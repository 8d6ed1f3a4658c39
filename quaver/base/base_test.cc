// Tests of the room base.
#include <atomic>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "quaver/base/clock.h"
#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/base/json.h"
#include "quaver/base/metrics.h"
#include "quaver/base/mutex.h"
#include "quaver/base/progress.h"
#include "quaver/base/workers.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;

std::string Folder(const std::string& name) {
  const std::string path = testing::TempDir() + "/quaver_base_" + name;
  std::filesystem::remove_all(path);
  EXPECT_TRUE(MakeFolders(path).ok());
  return path;
}

// A root folder with a cgroup's files.
std::string CgroupRoot(const std::string& name, const std::string& groups,
                       const std::map<std::string, std::string>& files) {
  const std::string root = Folder(name);
  const auto write = [&](const std::string& path, const std::string& content) {
    EXPECT_TRUE(MakeFolders(path.substr(0, path.rfind('/'))).ok());
    EXPECT_TRUE(WriteFileAtomically(path, content).ok());
  };
  write(root + "/proc/self/cgroup", groups);
  for (const auto& [path, content] : files) {
    write(root + "/sys/fs/cgroup" + path, content);
  }
  return root;
}

TEST(QuotaCoresTest, IsTheLeastOfTheGroupAndThoseAboveIt) {
  const std::string groups = "0::/system.slice/quaver.service\n";
  EXPECT_EQ(QuotaCores(CgroupRoot("none", groups, {})), HUGE_VAL);
  EXPECT_EQ(QuotaCores(CgroupRoot(
                "own", groups,
                {{"/cpu.max", "max 100000"},
                 {"/system.slice/cpu.max", "400000 100000"},
                 {"/system.slice/quaver.service/cpu.max", "150000 100000"}})),
            1.5);
  EXPECT_EQ(QuotaCores(CgroupRoot(
                "above", groups,
                {{"/system.slice/cpu.max", "200000 100000"},
                 {"/system.slice/quaver.service/cpu.max", "max 100000"}})),
            2);
  // In a container the group's own files are at the root.
  EXPECT_EQ(QuotaCores(CgroupRoot("container", "0::/../../elsewhere\n",
                                  {{"/cpu.max", "300000 100000"}})),
            3);
}

TEST(QuotaCoresTest, ReadsVersion1) {
  const std::string groups = "5:cpuset:/x\n4:cpu,cpuacct:/a/b\n0::/\n";
  EXPECT_EQ(QuotaCores(CgroupRoot("v1", groups,
                                  {{"/cpu/a/b/cpu.cfs_quota_us", "50000"},
                                   {"/cpu/a/b/cpu.cfs_period_us", "100000"},
                                   {"/cpu/a/cpu.cfs_quota_us", "-1"},
                                   {"/cpu/a/cpu.cfs_period_us", "100000"}})),
            0.5);
}

TEST(FileTest, AtomicWriteReplacesWholeContent) {
  const std::string path = Folder("write") + "/a";
  ASSERT_TRUE(WriteFileAtomically(path, "first, longer").ok());
  ASSERT_TRUE(WriteFileAtomically(path, "second").ok());
  EXPECT_EQ(ReadFile(path).value(), "second");
}

TEST(FileTest, ErrorsNameThePathAndTheReason) {
  const auto missing = ReadFile("/nowhere/at/all");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(missing.status()), HasSubstr("/nowhere/at/all"));
  const std::string path = Folder("limit") + "/a";
  ASSERT_TRUE(WriteFileAtomically(path, "12345").ok());
  EXPECT_EQ(ReadFile(path, 4).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST(FileTest, FailedWriteLeavesTheOldContentAndNoLitter) {
  const auto status = WriteFileAtomically("/proc/quaver", "x");
  EXPECT_FALSE(status.ok());
}

TEST(FileTest, SpaceIsCompared) {
  EXPECT_TRUE(CheckSpace(testing::TempDir(), 1).ok());
  const absl::Status full =
      CheckSpace(testing::TempDir(), std::numeric_limits<uint64_t>::max());
  EXPECT_TRUE(absl::IsResourceExhausted(full));
  EXPECT_TRUE(absl::IsNotFound(CheckSpace("/no/such/folder", 1)));
}

TEST(FileTest, MapsEmptyAndFullFiles) {
  const std::string folder = Folder("map");
  ASSERT_TRUE(WriteFileAtomically(folder + "/empty", "").ok());
  ASSERT_TRUE(WriteFileAtomically(folder + "/full", "abc").ok());
  EXPECT_EQ(MappedFile::Open(folder + "/empty").value()->bytes().size(), 0u);
  EXPECT_EQ(MappedFile::Open(folder + "/full").value()->bytes().size(), 3u);
  EXPECT_FALSE(MappedFile::Open(folder).ok());
}

TEST(FileTest, SecondLockIsRefusedWithTheHolder) {
  const std::string folder = Folder("lock");
  auto first = FolderLock::Take(folder);
  ASSERT_TRUE(first.ok());
  const auto second = FolderLock::Take(folder);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(second.status()), HasSubstr("in use by process"));
  first->reset();
  EXPECT_TRUE(FolderLock::Take(folder).ok());
}

TEST(HashTest, IsXxh3) {
  // XXH3-64 of the empty string, from the reference implementation's vectors.
  EXPECT_EQ(Hex64(Hash64("")), "2d06800538d394c2");
}

TEST(RandomTest, StreamsAreReproducibleAndDiffer) {
  Random a(1, 2);
  Random b(1, 2);
  Random c(1, 3);
  const uint64_t first = a.Next();
  EXPECT_EQ(first, b.Next());
  EXPECT_NE(first, c.Next());
}

TEST(RandomTest, BelowIsUniform) {
  Random random(7);
  std::vector<int> counts(10);
  for (int i = 0; i < 10000; ++i) ++counts[random.Below(10)];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 150);
}

TEST(WorkersTest, EveryIndexRunsOnce) {
  for (const int threads : {1, 2, 5}) {
    std::vector<std::atomic<int>> seen(1001);
    ParallelFor(seen.size(), 7, threads, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) ++seen[i];
    });
    for (const auto& count : seen) EXPECT_EQ(count.load(), 1);
  }
}

TEST(WorkersTest, ThereIsAtLeastOneCore) { EXPECT_GE(AvailableCores(), 1); }

TEST(JsonTest, DeepNestingIsNoJson) {
  const auto nested = [](int depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(ParseJson(R"({"a": [1]})"), nlohmann::json({{"a", {1}}}));
  EXPECT_EQ(ParseJson(nested(kMaxJsonDepth)).dump(), nested(kMaxJsonDepth));
  EXPECT_TRUE(ParseJson(nested(kMaxJsonDepth + 1)).is_discarded());
  EXPECT_TRUE(ParseJson(nested(1'000'000)).is_discarded());
  EXPECT_TRUE(ParseJson("{\"a\"").is_discarded());
  // In strings brackets are none.
  const std::string text = nlohmann::json("\\\"" + nested(100)).dump();
  EXPECT_EQ(ParseJson(text).dump(), text);
}

TEST(MetricsTest, UpdatesWhatFollowsOthersBeforeItReads) {
  Metrics metrics;
  const Gauge gauge = metrics.AddGauge("level", "A level.");
  int level = 0;
  std::shared_ptr<void> update = metrics.OnExpose([&] { gauge.Set(++level); });
  EXPECT_THAT(metrics.Expose(), HasSubstr("\nlevel 1\n"));
  EXPECT_THAT(metrics.Expose(), HasSubstr("\nlevel 2\n"));
  update.reset();
  EXPECT_THAT(metrics.Expose(), HasSubstr("\nlevel 2\n"));
}

TEST(MetricsTest, ExposesSeriesOnce) {
  Metrics metrics;
  metrics.AddCounter("a_total", "A.", {{"k", "v"}}).Increment();
  metrics.AddCounter("a_total", "A.", {{"k", "v"}}).Increment(2);
  EXPECT_THAT(metrics.Expose(), HasSubstr("a_total{k=\"v\"} 3"));
}

TEST(ProgressTest, LineShowsRateAndTimeLeft) {
  FakeClock clock;
  Progress progress("embed", "rows", 100, clock);
  clock.AdvanceUs(10'000'000);
  progress.Update(50);
  EXPECT_THAT(progress.Line(), HasSubstr("50 %"));
  EXPECT_THAT(progress.Line(), HasSubstr("5/s"));
  EXPECT_THAT(progress.Line(), HasSubstr("0:10 left"));
}

// A number under a mutex, and what one may wait for.
struct Guarded {
  bool IsFive() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return number == 5;
  }
  bool IsTen() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return number == 10;
  }
  void Increment() ABSL_LOCKS_EXCLUDED(mutex) {
    const MutexLock lock(&mutex);
    ++number;
  }
  mutable Mutex mutex;
  int number ABSL_GUARDED_BY(mutex) = 0;
};

TEST(MutexTest, UnlockingWakesWhoWaitsForWhatBecameTrue) {
  Guarded guarded;
  std::thread counting([&] {
    for (int i = 0; i < 5; ++i) guarded.Increment();
    {
      const MutexLock lock(&guarded.mutex);
      guarded.mutex.Await(&guarded, &Guarded::IsTen);
    }
  });
  {
    const MutexLock lock(&guarded.mutex);
    guarded.mutex.Await(&guarded, &Guarded::IsFive);
    guarded.number = 10;
  }
  counting.join();
}

TEST(MutexTest, WaitingWakesOthersAsUnlockingDoes) {
  Guarded guarded;
  std::thread answering([&] {
    const MutexLock lock(&guarded.mutex);
    guarded.mutex.Await(&guarded, &Guarded::IsFive);
    guarded.number = 10;
  });
  {
    const MutexLock lock(&guarded.mutex);
    guarded.number = 5;
    guarded.mutex.Await(&guarded, &Guarded::IsTen);
  }
  answering.join();
}

TEST(MutexTest, WaitingEndsInTime) {
  Guarded guarded;
  const MutexLock lock(&guarded.mutex);
  EXPECT_FALSE(guarded.mutex.AwaitFor(&guarded, &Guarded::IsFive, 1'000));
  guarded.number = 5;
  EXPECT_TRUE(guarded.mutex.AwaitFor(&guarded, &Guarded::IsFive, 0));
}

TEST(MutexTest, OneAtATime) {
  Guarded guarded;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i) guarded.Increment();
    });
  }
  for (std::thread& thread : threads) thread.join();
  const MutexLock lock(&guarded.mutex);
  EXPECT_EQ(guarded.number, 4'000);
}

}  // namespace
}  // namespace quaver
