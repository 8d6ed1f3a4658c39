// A fixed number of threads behind a bounded queue.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/mutex.h"

namespace quaver {

// Jobs start in the order they were posted. Thread-safe.
class WorkerPool {
 public:
  // REQUIRES: num_threads > 0.
  WorkerPool(int num_threads, size_t max_queue);
  ~WorkerPool();  // Stop()
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False, and the job is not kept, when every thread is busy and `max_queue`
  // jobs wait, or after Stop(). Never blocks. Jobs must not throw.
  bool TryPost(std::function<void()> job);

  // Runs what was accepted, then joins the threads. Not from a job.
  void Stop();

 private:
  void Run();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_queue_;
  Mutex mutex_;
  std::deque<std::function<void()>> queue_ ABSL_GUARDED_BY(mutex_);
  size_t num_idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace quaver
