// Overload: more is asked than can be computed, for answers within 25 ms. A
// simulation of the batcher's law, with a fake clock and two instances.
#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/base/clock.h"
#include "quaver/sched/internal/batch_queue.h"

namespace quaver {
namespace {

constexpr int64_t kDeadlineUs = 25'000;
constexpr int64_t kFixedUs = 1'000;
constexpr int64_t kItemUs = 500;
constexpr int kInstances = 2;
constexpr int64_t kSimulatedUs = 5'000'000;

// Items a second in batches of that size.
double Capacity(int batch_size) {
  const auto batch_us = static_cast<double>(kFixedUs + kItemUs * batch_size);
  return 1e6 * kInstances * batch_size / batch_us;
}

struct Outcome {
  int64_t num_asked = 0;
  int64_t num_good = 0;     // computed in time
  int64_t num_late = 0;     // computed for nobody
  int64_t num_refused = 0;  // the queue was full
  int64_t num_dropped = 0;  // before they were computed
  int64_t longest_us = 0;   // from a call to its answer, whatever that was
  double seconds = 0;
  double good_per_second() const {
    return static_cast<double>(num_good) / seconds;
  }
};

// Items of one token come at random; a batch of n takes 1 + n / 2 ms, and up to
// `noise` of that more or less.
class Simulation {
 public:
  Simulation(const BatcherConfig& config, double noise)
      : config_(config), queue_(config), noise_(noise) {}

  // As often as batches of `batch_size` could be computed, times `load`.
  Outcome Run(double load, int batch_size) {
    const double gap_us = 1e6 / (load * Capacity(batch_size));
    double next_arrival_us = 0;
    while (clock_.NowUs() < kSimulatedUs) {
      int64_t next_us = std::min(static_cast<int64_t>(next_arrival_us),
                                 std::max(ask_again_us_, clock_.NowUs()));
      for (const Running& running : running_) {
        next_us = std::min(next_us, running.done_us);
      }
      clock_.AdvanceUs(std::max<int64_t>(0, next_us - clock_.NowUs()));
      FinishBatches();
      if (clock_.NowUs() >= static_cast<int64_t>(next_arrival_us)) {
        Arrive();
        next_arrival_us += -gap_us * std::log(1 - Random());
      }
      Dispatch();
    }
    outcome_.seconds = static_cast<double>(clock_.NowUs()) * 1e-6;
    return outcome_;
  }

 private:
  struct Call {
    explicit Call(int64_t now_us) : queued(&item), came_us(now_us) {
      item.tokens = 1;
      item.options.deadline_us = now_us + kDeadlineUs;
    }
    BatchItem item;
    QueuedItem queued;
    int64_t came_us;
  };
  struct Running {
    std::vector<QueuedItem*> batch;
    int64_t begin_us = 0;
    int64_t done_us = 0;
  };

  double Random() {
    return static_cast<double>(random_() - random_.min()) /
           (double{random_.max()} - double{random_.min()} + 1);
  }

  void Answer(int64_t came_us) {
    outcome_.longest_us =
        std::max(outcome_.longest_us, clock_.NowUs() - came_us);
  }
  void Drop(const std::vector<QueuedItem*>& dropped) {
    for (const QueuedItem* queued : dropped) {
      ++outcome_.num_dropped;
      // The batcher wakes it when that comes first.
      const int64_t told_us =
          std::min(clock_.NowUs(), queue_.ExpiryUs(*queued));
      outcome_.longest_us =
          std::max(outcome_.longest_us, told_us - queued->arrival_us);
    }
  }

  void Arrive() {
    const int64_t now_us = clock_.NowUs();
    ++outcome_.num_asked;
    Call& call = calls_.emplace_back(now_us);
    absl::Status status = queue_.Add(call.queued, now_us);
    if (absl::IsResourceExhausted(status)) {
      Drop(queue_.Sweep(now_us));
      status = queue_.Add(call.queued, now_us);
    }
    if (status.ok()) return;
    ++outcome_.num_refused;
    Answer(now_us);
    calls_.pop_back();
  }

  void Dispatch() {
    ask_again_us_ = kNever;
    while (running_.size() < kInstances && !queue_.empty()) {
      Decision next = queue_.Next(
          clock_.NowUs(), kInstances - static_cast<int>(running_.size()));
      Drop(next.dropped);
      if (next.batch.empty()) {
        ask_again_us_ = next.ask_again_us;
        break;
      }
      const auto size = static_cast<double>(next.batch.size());
      const double cost_us = (double{kFixedUs} + double{kItemUs} * size) *
                             (1 + noise_ * (2 * Random() - 1));
      running_.push_back({std::move(next.batch), clock_.NowUs(),
                          clock_.NowUs() + static_cast<int64_t>(cost_us)});
    }
  }

  void FinishBatches() {
    const int64_t now_us = clock_.NowUs();
    std::erase_if(running_, [&](const Running& running) {
      if (running.done_us > now_us) return false;
      queue_.Computed(static_cast<int64_t>(running.batch.size()),
                      now_us - running.begin_us);
      for (const QueuedItem* queued : running.batch) {
        ++(queued->item->options.deadline_us >= now_us ? outcome_.num_good
                                                       : outcome_.num_late);
        Answer(queued->arrival_us);
      }
      return true;
    });
  }

  const BatcherConfig config_;
  BatchQueue queue_;
  const double noise_;
  FakeClock clock_;
  std::minstd_rand random_{7};
  std::deque<Call> calls_;
  std::vector<Running> running_;
  int64_t ask_again_us_ = kNever;
  Outcome outcome_;
};

BatcherConfig Config(int max_batch_size, int max_queue_size,
                     int64_t max_queue_delay_us = 0) {
  BatcherConfig config;
  config.num_instances = kInstances;
  config.max_batch_size = max_batch_size;
  config.batching.default_queue_policy.max_queue_size = max_queue_size;
  config.batching.max_queue_delay_us = max_queue_delay_us;
  return config;
}

// `batch_size`: the largest that is done in time, give or take the noise.
void ExpectGoodputStands(const BatcherConfig& config, double noise,
                         int batch_size) {
  std::vector<Outcome> outcomes;
  for (const double load : {1.0, 2.0, 4.0}) {
    const Outcome outcome = Simulation(config, noise).Run(load, batch_size);
    SCOPED_TRACE(testing::Message()
                 << "load " << load << ": asked " << outcome.num_asked
                 << ", good " << outcome.num_good << ", late "
                 << outcome.num_late << ", refused " << outcome.num_refused
                 << ", dropped " << outcome.num_dropped);
    // Whoever cannot be served knows it by the deadline, or when a batch that
    // took longer than expected is done.
    EXPECT_LE(outcome.longest_us, kDeadlineUs + 10'000);
    EXPECT_LE(outcome.num_late, outcome.num_good / 10);
    if (!outcomes.empty()) {
      EXPECT_GE(outcome.good_per_second(),
                0.98 * outcomes.back().good_per_second());
      EXPECT_GE(outcome.good_per_second(),
                0.98 * outcomes.front().good_per_second());
    }
    outcomes.push_back(outcome);
  }
  EXPECT_GE(outcomes.front().good_per_second(), 0.85 * Capacity(batch_size));
}

TEST(OverloadTest, GoodputStands) {
  ExpectGoodputStands(Config(8, 1024), /*noise=*/0, 8);
}

TEST(OverloadTest, GoodputStandsWhereBatchesTakeTheirTime) {
  ExpectGoodputStands(Config(8, 1024), /*noise=*/0.3, 8);
}

TEST(OverloadTest, GoodputStandsBehindAShortQueue) {
  ExpectGoodputStands(Config(8, 32), /*noise=*/0.3, 8);
}

TEST(OverloadTest, GoodputStandsWhereBatchesWaitToGrow) {
  ExpectGoodputStands(Config(8, 1024, 2'000), /*noise=*/0.3, 8);
}

TEST(OverloadTest, GoodputStandsOneByOne) {
  ExpectGoodputStands(Config(1, 1024), /*noise=*/0.3, 1);
}

// A full batch of these takes longer than there is time.
TEST(OverloadTest, GoodputStandsWhereBatchesMayBeTooLarge) {
  ExpectGoodputStands(Config(64, 1024), /*noise=*/0.1, 24);
  ExpectGoodputStands(Config(0, 0), /*noise=*/0.1, 24);
}

}  // namespace
}  // namespace quaver
