// Threads that start as jobs come, behind a bounded queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/mutex.h"

namespace quaver {

struct WorkerPoolConfig {
  int max_threads = 1;
  size_t max_queue = 0;  // jobs that wait for a thread
  // A thread that has had nothing to do for so long ends.
  int64_t idle_us = 10'000'000;
};

// Jobs start in the order they were posted. A thread is started only while no
// idle one exists, and the one that worked last is the first to work again, so
// that those above the need end. Thread-safe.
class WorkerPool {
 public:
  using Job = std::function<void()>;

  // REQUIRES: max_threads > 0.
  explicit WorkerPool(const WorkerPoolConfig& config);
  ~WorkerPool();  // Stop()
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False, and the job is not kept, when all threads are busy and `max_queue`
  // jobs wait, or after Stop(). Never waits for a job. Jobs must not throw.
  bool TryPost(Job job) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs what was accepted, then joins the threads. Not from a job.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  size_t num_threads() const ABSL_LOCKS_EXCLUDED(mutex_);  // now

 private:
  using Threads = std::list<std::thread>;
  class Seat;  // where one thread waits for its next job

  void Run(Threads::iterator self, Job job) ABSL_LOCKS_EXCLUDED(mutex_);
  // The next job, or null once the thread is among the ended.
  Job Next(Seat& seat, Threads::iterator self) ABSL_LOCKS_EXCLUDED(mutex_);
  Job End(Threads::iterator self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False when the system has no thread left.
  bool StartThread(const Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasNoThreads() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const WorkerPoolConfig config_;
  mutable Mutex mutex_;
  std::deque<Job> queue_ ABSL_GUARDED_BY(mutex_);
  std::vector<Seat*> idle_ ABSL_GUARDED_BY(mutex_);  // the newest last
  Threads threads_ ABSL_GUARDED_BY(mutex_);
  Threads ended_ ABSL_GUARDED_BY(mutex_);  // to be joined
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace quaver
