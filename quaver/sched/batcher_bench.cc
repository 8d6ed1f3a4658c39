// Times the batcher: a call alone, what handing it to a thread would cost
// instead, and many callers of a model whose batches have a fixed cost.
#include <thread>

#include <benchmark/benchmark.h>

#include "quaver/base/check.h"
#include "quaver/sched/batcher.h"
#include "quaver/sched/instances.h"

namespace quaver {
namespace {

void Spin(int64_t us) {
  const int64_t end_us = Clock::Real().NowUs() + us;
  while (Clock::Real().NowUs() < end_us) {
  }
}

// MiniLM's shape: reading the weights, then the tokens of one short text.
constexpr int64_t kFixedUs = 300;
constexpr int64_t kItemUs = 200;

void BM_Alone(benchmark::State& state) {
  auto batcher = Batcher::Create({.num_instances = 1, .max_batch_tokens = 256},
                                 [](int, std::span<BatchItem* const>) {});
  QUAVER_CHECK(batcher.ok());
  for (auto _ : state) {
    BatchItem item{.tokens = 8};
    QUAVER_CHECK((*batcher)->Run(item).ok());
  }
}
BENCHMARK(BM_Alone);

void BM_AloneInAPool(benchmark::State& state) {
  InstancePool pool({.num_instances = 1});
  for (auto _ : state) {
    QUAVER_CHECK(pool.Acquire().ok());
  }
}
BENCHMARK(BM_AloneInAPool);

// To a thread and back: what an instance with a thread of its own would cost.
class OtherThread {
 public:
  OtherThread() : thread_([this] { Serve(); }) {}
  ~OtherThread() {
    Call(kStop);
    thread_.join();
  }
  void Call(int what) {
    const MutexLock lock(&mutex_);
    call_ = what;
    mutex_.Await(this, &OtherThread::IsDone);
  }
  static constexpr int kNone = 0, kWork = 1, kStop = 2;

 private:
  bool IsCalled() const { return call_ != kNone; }
  bool IsDone() const { return call_ == kNone; }
  void Serve() {
    for (int call = kNone; call != kStop;) {
      const MutexLock lock(&mutex_);
      mutex_.Await(this, &OtherThread::IsCalled);
      call = std::exchange(call_, kNone);
    }
  }
  Mutex mutex_;
  int call_ = kNone;
  std::thread thread_;
};

void BM_HandOver(benchmark::State& state) {
  OtherThread other;
  for (auto _ : state) other.Call(OtherThread::kWork);
}
BENCHMARK(BM_HandOver)->UseRealTime();

void BM_CallersOfABatcher(benchmark::State& state) {
  static const auto batcher = Batcher::Create(
      {.num_instances = 2, .max_batch_tokens = 256},
      [](int, std::span<BatchItem* const> batch) {
        Spin(kFixedUs + kItemUs * static_cast<int64_t>(batch.size()));
      });
  for (auto _ : state) {
    BatchItem item{.tokens = 8};
    QUAVER_CHECK((*batcher)->Run(item).ok());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_CallersOfABatcher)->ThreadRange(1, 32)->UseRealTime();

void BM_CallersOfAPool(benchmark::State& state) {
  static InstancePool pool({.num_instances = 2});
  for (auto _ : state) {
    const auto lease = pool.Acquire();
    QUAVER_CHECK(lease.ok());
    Spin(kFixedUs + kItemUs);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_CallersOfAPool)->ThreadRange(1, 32)->UseRealTime();

}  // namespace
}  // namespace quaver
