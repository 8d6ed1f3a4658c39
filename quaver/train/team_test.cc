// Tests of teams: who works where, waiting for all, exceptions.
#include "quaver/train/team.h"

#include <atomic>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

using ::testing::Each;

// What `run` throws, or "".
std::string Thrown(Team& team, const std::function<void(int)>& work) {
  try {
    team.Run(work);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(TeamTest, StartIsCalledFirstOnEveryWorkersThread) {
  constexpr int kSize = 4;
  std::vector<std::thread::id> started(kSize), worked(kSize);
  Team team(kSize,
            [&](int worker) { started[worker] = std::this_thread::get_id(); });
  EXPECT_EQ(team.size(), kSize);
  const std::set<std::thread::id> all(started.begin(), started.end());
  EXPECT_EQ(all.size(), static_cast<size_t>(kSize));
  EXPECT_FALSE(all.contains(std::thread::id()));
  EXPECT_FALSE(all.contains(std::this_thread::get_id()));
  for (int round = 0; round < 3; ++round) {
    team.Run([&](int worker) { worked[worker] = std::this_thread::get_id(); });
    EXPECT_EQ(worked, started);
    worked.assign(kSize, {});
  }
}

TEST(TeamTest, WhatAThreadHoldsStaysBetweenRuns) {
  static thread_local int kept = 0;
  Team team(3, [](int worker) { kept = 10 * worker; });
  std::vector<int> seen(3);
  team.Run([](int) { ++kept; });
  team.Run([&](int worker) { seen[worker] = kept; });
  EXPECT_THAT(seen, testing::ElementsAre(1, 11, 21));
}

TEST(TeamTest, EveryRunIsDoneByAllBeforeItReturns) {
  Team team(5, [](int) {});
  std::vector<int> counts(5);
  for (int round = 1; round <= 500; ++round) {
    team.Run([&](int worker) { ++counts[worker]; });
    ASSERT_THAT(counts, Each(round));
  }
}

TEST(TeamTest, WorkersWorkSideBySide) {
  Team team(3, [](int) {});
  std::atomic<int> arrived = 0;
  // Ends only if all three are in it at once.
  team.Run([&](int) {
    ++arrived;
    while (arrived < 3) std::this_thread::yield();
  });
  EXPECT_EQ(arrived, 3);
}

TEST(TeamTest, AnExceptionIsThrownAgainAfterAllAreDone) {
  Team team(4, [](int) {});
  std::atomic<int> done = 0;
  const auto work = [&](int worker) {
    if (worker == 2) throw std::runtime_error("two");
    ++done;
  };
  EXPECT_EQ(Thrown(team, work), "two");
  EXPECT_EQ(done, 3);
  EXPECT_EQ(Thrown(team, [&](int) { ++done; }), "");  // goes on as before
  EXPECT_EQ(done, 7);
}

TEST(TeamTest, OfSeveralExceptionsTheFirstWorkersIsThrown) {
  Team team(4, [](int) {});
  EXPECT_EQ(Thrown(team,
                   [](int worker) {
                     if (worker > 0) {
                       throw std::runtime_error(std::to_string(worker));
                     }
                   }),
            "1");
}

TEST(TeamTest, OneIsATeamAndMayEndWithoutARun) {
  int runs = 0;
  Team team(1, [&](int) { ++runs; });
  EXPECT_EQ(runs, 1);
  team.Run([&](int worker) { runs += 10 + worker; });
  EXPECT_EQ(runs, 11);
  const Team idle(3, [](int) {});
}

TEST(TeamTest, AnErrorIsThrownOnce) {
  Team team(2, [](int) {});
  const auto fail = [](int) { throw std::runtime_error("no"); };
  EXPECT_THROW(team.Run(fail), std::runtime_error);
  EXPECT_NO_THROW(team.Run([](int) {}));
}

}  // namespace
}  // namespace quaver
