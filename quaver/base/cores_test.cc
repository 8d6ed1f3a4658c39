// Tests of the cores that threads lend: never more than there are, in turn, and
// given back around waits.
#include "quaver/base/cores.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/mutex.h"
#include "quaver/base/workers.h"

namespace quaver {
namespace {

using testing::ElementsAre;

void AwaitLine(const CoreBudget& budget, int num_waiting) {
  while (budget.num_waiting() < num_waiting) std::this_thread::yield();
}

TEST(CoreBudgetTest, OfTheProcessHasItsCores) {
  CoreBudget& budget = CoreBudget::OfProcess();
  EXPECT_EQ(budget.TakeIdle(1 << 20), AvailableCores());
  EXPECT_EQ(budget.TakeIdle(1), 0);
  budget.Give(AvailableCores());
  EXPECT_EQ(&budget, &CoreBudget::OfProcess());
  EXPECT_EQ(budget.binds(), QuotaBinds());
}

TEST(CoreBudgetTest, NeverLendsMoreThanItHas) {
  constexpr int kCores = 3;
  CoreBudget budget(kCores);
  std::atomic<int> num_computing{0}, most{0}, num_done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        const CoreLease core(budget);
        const int others = budget.TakeIdle(i % 3);
        const int now = num_computing += 1 + others;
        int before = most;
        while (before < now && !most.compare_exchange_weak(before, now)) {
        }
        num_computing -= 1 + others;
        if (i % 5 == 0) {
          const CorePause pause;
          std::this_thread::yield();
        }
        budget.Give(others);
        ++num_done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(num_done, 8 * 500);
  EXPECT_LE(most, kCores);
  EXPECT_EQ(budget.num_waiting(), 0);
  EXPECT_EQ(budget.TakeIdle(kCores + 1), kCores);  // nothing was lost
}

TEST(CoreBudgetTest, IsGivenInTheOrderThatThreadsCame) {
  CoreBudget budget(1);
  budget.Take();
  std::vector<int> order;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const CoreLease core(budget);
      order.push_back(t);
    });
    AwaitLine(budget, t + 1);
  }
  EXPECT_EQ(budget.TakeIdle(1), 0);
  budget.Give(1);
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3));
}

TEST(CoreBudgetTest, ThatDoesNotBindCountsOnly) {
  CoreBudget budget(2, /*binds=*/false);
  for (int i = 0; i < 3; ++i) budget.Take();  // would block
  EXPECT_EQ(budget.TakeIdle(1), 0);
  budget.Give(1);
  EXPECT_EQ(budget.TakeIdle(1), 0);  // two are lent yet
  budget.Give(1);
  EXPECT_EQ(budget.TakeIdle(5), 1);
}

TEST(CoreLeaseTest, WithinAnotherTakesNothing) {
  CoreBudget budget(1);
  EXPECT_FALSE(HoldsCore());
  {
    const CoreLease core(budget);
    {
      const CoreLease same(budget);
      EXPECT_TRUE(HoldsCore());
    }
    EXPECT_TRUE(HoldsCore());
    EXPECT_EQ(budget.TakeIdle(1), 0);
  }
  EXPECT_FALSE(HoldsCore());
  EXPECT_EQ(budget.TakeIdle(1), 1);
}

TEST(CoreLeaseTest, AdoptsWhatWasTaken) {
  CoreBudget budget(1);
  ASSERT_EQ(budget.TakeIdle(1), 1);
  std::thread([&] {
    const CoreLease core(budget, std::adopt_lock);
    EXPECT_TRUE(HoldsCore());
  }).join();
  EXPECT_EQ(budget.TakeIdle(1), 1);
}

TEST(CorePauseTest, LendsTheCoreToOthers) {
  CoreBudget budget(1);
  const CoreLease core(budget);
  std::atomic<bool> computed{false};
  std::thread other([&] {
    const CoreLease its(budget);
    computed = true;
  });
  {
    const CorePause pause;
    EXPECT_FALSE(HoldsCore());
    other.join();  // with the core kept this would never end
  }
  EXPECT_TRUE(computed);
  EXPECT_TRUE(HoldsCore());
  EXPECT_EQ(budget.TakeIdle(1), 0);
}

TEST(CorePauseTest, OfAThreadWithoutACoreIsNothing) {
  const CorePause pause;
  EXPECT_FALSE(HoldsCore());
}

struct Door {
  bool is_open() const { return open; }
  bool open = true;
};

TEST(CoresDeathTest, WhoHoldsOneDoesNotWaitForConditions) {
  CoreBudget budget(1);
  Mutex mutex;
  const Door door;
  {
    const MutexLock lock(&mutex);
    mutex.Await(&door, &Door::is_open);
  }
  EXPECT_DEATH(
      {
        const CoreLease core(budget);
        const MutexLock lock(&mutex);
        mutex.Await(&door, &Door::is_open);
      },
      "HoldsCore");
}

}  // namespace
}  // namespace quaver
