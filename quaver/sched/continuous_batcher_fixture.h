// A continuous batcher over numbers that are counted down: for tests.
#pragma once

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/sched/continuous_batcher.h"
#include "quaver/sched/servable_fixture.h"

namespace quaver {

// Counts down its steps; a negative number is refused.
struct Countdown : SteppedItem {
  explicit Countdown(int number) : steps(number), left(number) {}
  const int steps;
  int left;
  Gate* gate = nullptr;  // that each of its steps passes
  int taken = 0;
  size_t most_company = 0;           // items of a step, itself included
  std::vector<std::thread::id> led;  // who took each of its steps
};

// Counts items down. Steps can be held back and let go one by one.
class ContinuousBatcherTest : public testing::Test {
 protected:
  static constexpr int kMostInstances = 4;

  ~ContinuousBatcherTest() override { Join(); }

  void Make(const ContinuousBatcherConfig& config) {
    batcher_ = std::make_unique<ContinuousBatcher>(
        config,
        SteppedEngine{[this](int instance, SteppedItem& item) {
                        return Add(instance, item);
                      },
                      [this](int instance) { return Step(instance); },
                      [this](int instance, SteppedItem& item) {
                        std::erase(active_[static_cast<size_t>(instance)],
                                   &static_cast<Countdown&>(item));
                      }},
        clock_);
  }

  absl::Status Add(int instance, SteppedItem& item) {
    auto& countdown = static_cast<Countdown&>(item);
    if (countdown.steps < 0) return absl::InvalidArgumentError("negative");
    active_[static_cast<size_t>(instance)].push_back(&countdown);
    return absl::OkStatus();
  }

  std::vector<SteppedItem*> Step(int instance) {
    Pass();
    auto& active = active_[static_cast<size_t>(instance)];
    for (const Countdown* one : active) {
      if (one->gate != nullptr) one->gate->Pass();
    }
    std::vector<SteppedItem*> done;
    for (Countdown* one : active) {
      ++one->taken;
      one->most_company = std::max(one->most_company, active.size());
      one->led.push_back(std::this_thread::get_id());
      if (--one->left <= 0) done.push_back(one);
    }
    std::erase_if(active, [](const Countdown* one) { return one->left <= 0; });
    return done;
  }

  // Runs the item in a thread.
  void Start(Countdown& item, absl::Status& status) {
    threads_.emplace_back([&] { status = batcher_->Run(item); });
    ids_.push_back(threads_.back().get_id());
  }
  // The same; returns when it is in the queue.
  void Queue(Countdown& item, absl::Status& status) {
    const int before = batcher_->num_waiting();
    Start(item, status);
    while (batcher_->num_waiting() == before) std::this_thread::yield();
  }
  // The same; returns when it is at a step that is held back.
  void Occupy(Countdown& item, absl::Status& status) {
    Hold();
    Start(item, status);
    AwaitHeld(1);
  }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  void Hold() {
    const MutexLock lock(&mutex_);
    held_ = true;
  }
  void LetGo() {
    const MutexLock lock(&mutex_);
    held_ = false;
  }
  void AwaitHeld(int number) {
    const MutexLock lock(&mutex_);
    wanted_at_gate_ = number;
    mutex_.Await(this, &ContinuousBatcherTest::AreAtGate);
  }
  void Pass() {
    const MutexLock lock(&mutex_);
    ++at_gate_;
    mutex_.Await(this, &ContinuousBatcherTest::IsOpen);
    --at_gate_;
  }

  FakeClock clock_;
  std::unique_ptr<ContinuousBatcher> batcher_;
  std::vector<std::vector<Countdown*>> active_{kMostInstances};
  std::vector<std::thread> threads_;
  std::vector<std::thread::id> ids_;

 private:
  bool IsOpen() const { return !held_; }
  bool AreAtGate() const { return at_gate_ == wanted_at_gate_; }

  Mutex mutex_;
  bool held_ = false;
  int at_gate_ = 0, wanted_at_gate_ = 0;
};

}  // namespace quaver
