// See worker_pool.h.
#include "quaver/serve/internal/worker_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "quaver/base/check.h"

namespace quaver {

// Each has a mutex of its own: who waits for the pool's is woken by everybody.
class WorkerPool::Seat {
 public:
  void Give(Job job) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    job_ = std::move(job);
    has_word_ = true;
  }
  bool WaitFor(int64_t timeout_us) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    return mutex_.AwaitFor(this, &Seat::has_word, timeout_us);
  }
  // Null: the pool stops.
  Job Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    has_word_ = false;
    return std::exchange(job_, nullptr);
  }

 private:
  bool has_word() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return has_word_;
  }
  Mutex mutex_;
  Job job_ ABSL_GUARDED_BY(mutex_);
  bool has_word_ ABSL_GUARDED_BY(mutex_) = false;
};

WorkerPool::WorkerPool(const WorkerPoolConfig& config) : config_(config) {
  QUAVER_CHECK(config.max_threads > 0);
}

WorkerPool::~WorkerPool() { Stop(); }

bool WorkerPool::TryPost(Job job) {
  const MutexLock lock(&mutex_);
  if (stopping_) return false;
  if (!idle_.empty()) {
    idle_.back()->Give(std::move(job));
    idle_.pop_back();
    return true;
  }
  if (threads_.size() < static_cast<size_t>(config_.max_threads) &&
      StartThread(job)) {
    return true;
  }
  if (threads_.empty() || queue_.size() >= config_.max_queue) return false;
  queue_.push_back(std::move(job));
  return true;
}

bool WorkerPool::StartThread(const Job& job) {
  // They have let go of the mutex and only return.
  for (std::thread& thread : ended_) thread.join();
  ended_.clear();
  const auto self = threads_.emplace(threads_.end());
  try {
    *self = std::thread(&WorkerPool::Run, this, self, job);
  } catch (const std::system_error&) {
    threads_.erase(self);
    return false;
  }
  return true;
}

void WorkerPool::Stop() {
  const MutexLock lock(&mutex_);
  stopping_ = true;
  for (Seat* seat : idle_) seat->Give(nullptr);
  idle_.clear();
  mutex_.Await(this, &WorkerPool::HasNoThreads);
  for (std::thread& thread : ended_) thread.join();
  ended_.clear();
}

bool WorkerPool::HasNoThreads() const { return threads_.empty(); }

size_t WorkerPool::num_threads() const {
  const MutexLock lock(&mutex_);
  return threads_.size();
}

void WorkerPool::Run(Threads::iterator self, Job job) {
  Seat seat;
  while (job != nullptr) {
    job();
    job = nullptr;  // what it owns goes before the thread counts as idle
    job = Next(seat, self);
  }
}

WorkerPool::Job WorkerPool::Next(Seat& seat, Threads::iterator self) {
  {
    const MutexLock lock(&mutex_);
    if (!queue_.empty()) {
      Job job = std::move(queue_.front());
      queue_.pop_front();
      return job;
    }
    if (stopping_) return End(self);
    idle_.push_back(&seat);
  }
  const bool has_word = seat.WaitFor(config_.idle_us);
  const MutexLock lock(&mutex_);
  // It may have been given a job since the time was over.
  if (!has_word && std::erase(idle_, &seat) > 0) return End(self);
  if (Job job = seat.Take()) return job;
  return End(self);
}

WorkerPool::Job WorkerPool::End(Threads::iterator self) {
  ended_.splice(ended_.end(), threads_, self);
  return nullptr;
}

}  // namespace quaver
