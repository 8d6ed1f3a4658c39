// Tests of the registry and of the instance pool's law.
#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/workers.h"
#include "quaver/sched/instances.h"
#include "quaver/sched/servable.h"

namespace quaver {
namespace {

class Echo : public Servable {
 public:
  std::vector<TensorSpec> inputs() const override { return {}; }
  std::vector<TensorSpec> outputs() const override { return {}; }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request, const CallOptions&,
                                CallTimes*) override {
    return request;
  }
};

TEST(ServableRegistryTest, FindsByName) {
  ServableRegistry registry;
  EXPECT_EQ(Message(registry.Find("encoder").status()),
            "there is no model \"encoder\"; there are none");
  const auto encoder = std::make_shared<Echo>();
  ASSERT_TRUE(registry.Add("encoder", encoder).ok());
  ASSERT_TRUE(registry.Add("corrector", std::make_shared<Echo>()).ok());
  EXPECT_EQ(*registry.Find("encoder"), encoder);
  EXPECT_EQ(registry.Add("encoder", encoder).code(),
            absl::StatusCode::kAlreadyExists);
  const absl::Status absent = registry.Find("ranker").status();
  EXPECT_EQ(absent.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Message(absent),
            "there is no model \"ranker\"; there is: corrector, encoder");
}

// Yields until `count` callers stand in line.
void AwaitLine(const InstancePool& pool, int count) {
  while (pool.num_waiting() != count) std::this_thread::yield();
}

TEST(InstancePoolTest, HasOneInstanceACoreByDefault) {
  EXPECT_EQ(InstancePool({}).num_instances(), AvailableCores());
}

TEST(InstancePoolTest, GivesEachInstanceOnceAndTheLastUsedFirst) {
  InstancePool pool({.num_instances = 2});
  auto first = pool.Acquire();
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->index(), 0);
  {
    const auto second = pool.Acquire();
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(second->index(), 1);
  }
  const auto again = pool.Acquire();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->index(), 1);  // its caches are warm
}

TEST(InstancePoolTest, ServesTheLineInOrder) {
  InstancePool pool({.num_instances = 1});
  std::vector<int> order;  // written by whoever holds the one instance
  std::vector<std::thread> threads;
  {
    const auto lease = pool.Acquire();
    ASSERT_TRUE(lease.ok());
    for (int i = 0; i < 5; ++i) {
      threads.emplace_back([&pool, &order, i] {
        const auto own = pool.Acquire();
        ASSERT_TRUE(own.ok());
        order.push_back(i);
      });
      AwaitLine(pool, i + 1);
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(order, testing::ElementsAre(0, 1, 2, 3, 4));
}

TEST(InstancePoolTest, RefusesWhenTheLineIsFull) {
  InstancePool pool({.num_instances = 1, .max_waiting = 1});
  std::thread waiter;
  {
    const auto lease = pool.Acquire();
    ASSERT_TRUE(lease.ok());
    waiter = std::thread([&pool] { EXPECT_TRUE(pool.Acquire().ok()); });
    AwaitLine(pool, 1);
    const absl::Status refused = pool.Acquire().status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(Message(refused),
              "Exceeds maximum queue size of 1; try again later");
  }
  waiter.join();
}

TEST(InstancePoolTest, GivesUpAtTheDeadline) {
  FakeClock clock;
  clock.AdvanceUs(1000);
  InstancePool pool({.num_instances = 1}, clock);
  const auto lease = pool.Acquire(/*deadline_us=*/0);
  ASSERT_TRUE(lease.ok());  // free: no need to wait
  for (const int64_t deadline_us : {0, 1000, 1500}) {
    EXPECT_EQ(pool.Acquire(deadline_us).status().code(),
              absl::StatusCode::kDeadlineExceeded);
  }
  EXPECT_EQ(pool.num_waiting(), 0);
}

TEST(InstancePoolTest, GivesNewInstancesToTheLine) {
  InstancePool pool({.num_instances = 1});
  const auto lease = pool.Acquire();
  ASSERT_TRUE(lease.ok());
  int index = -1;
  std::thread waiter([&] {
    const auto own = pool.Acquire();
    ASSERT_TRUE(own.ok());
    index = own->index();
  });
  AwaitLine(pool, 1);
  pool.Resize(2);
  waiter.join();  // while the first one is still leased
  EXPECT_EQ(index, 1);
  EXPECT_EQ(pool.num_instances(), 2);
}

TEST(InstancePoolTest, DoesNotGiveAgainWhatIsNotWantedAnyMore) {
  InstancePool pool({.num_instances = 2});
  std::atomic<bool> is_resized = false;
  const auto first = pool.Acquire();
  auto second = std::make_optional(pool.Acquire());
  ASSERT_TRUE(first.ok() && second->ok());
  std::thread resizer([&] {
    pool.Resize(1);
    is_resized = true;
  });
  while (pool.num_instances() != 1) std::this_thread::yield();
  EXPECT_FALSE(is_resized);  // the second is in use
  second.reset();
  resizer.join();
  EXPECT_FALSE(pool.Acquire(Clock::Real().NowUs()).ok());
  pool.Resize(0);
  EXPECT_EQ(pool.num_instances(), AvailableCores());
}

TEST(InstancePoolTest, NeverGivesAnInstanceTwice) {
  constexpr int kInstances = 3;
  InstancePool pool({.num_instances = kInstances});
  std::atomic<int> users[kInstances] = {};
  std::atomic<int> collisions{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        const auto lease = pool.Acquire();
        ASSERT_TRUE(lease.ok());
        if (++users[lease->index()] != 1) ++collisions;
        --users[lease->index()];
      }
    });
  }
  for (int i = 0; i < 200; ++i) pool.Resize(1 + i % kInstances);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(collisions, 0);
}

}  // namespace
}  // namespace quaver
