// The threads in which models are made.
//
// glibc gives threads arenas of memory to allocate from, and does not give the
// unused end of an arena back to the system. Made in whichever thread was asked
// to, models leave a rest of their size in each of them; so they leave few.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/mutex.h"

namespace quaver {

// Thread-safe. REQUIRES: every Run returned before the destruction.
class LoaderThreads {
 public:
  // REQUIRES: num_threads >= 1.
  explicit LoaderThreads(int num_threads);
  ~LoaderThreads();

  // Does the work in the first thread that is idle and returns when it is done.
  // REQUIRES: not called from one of these threads.
  void Run(const std::function<void()>& work) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Worker {
    bool reserved = false;                        // by a call of Run
    const std::function<void()>* work = nullptr;  // until it is done
    bool stopping = false;
    std::thread thread;
    bool HasWork() const { return work != nullptr || stopping; }
    bool IsDone() const { return work == nullptr; }
  };
  Worker* FirstIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return FirstIdle() != nullptr;
  }
  void Work(Worker& self) ABSL_LOCKS_EXCLUDED(mutex_);

  mutable Mutex mutex_;
  // What they hold is guarded by the mutex, but for the threads.
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace quaver
