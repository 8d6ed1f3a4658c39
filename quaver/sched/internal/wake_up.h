// Wakes one thread, so that a queue of them is no herd.
#pragma once

#include <algorithm>
#include <cstdint>

#include "quaver/base/cores.h"
#include "quaver/base/mutex.h"

namespace quaver {

// For one thread that waits. Finish is the last call of another thread; the
// waiting one may destroy the object as soon as it knows.
class WakeUp {
 public:
  // The wait ends; wakes that come before it or twice are one.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    woken_ = true;
  }
  void Finish() ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    woken_ = finished_ = true;
  }

  // Until woken or finished, or for `timeout_us`, an hour at most. Returns
  // whether it is finished.
  bool AwaitFor(int64_t timeout_us) ABSL_LOCKS_EXCLUDED(mutex_) {
    constexpr int64_t kHourUs = 3'600'000'000;
    {
      const MutexLock lock(&mutex_);
      if (woken_) return Heed();
    }
    const CorePause pause;
    const MutexLock lock(&mutex_);
    mutex_.AwaitFor(this, &WakeUp::IsWoken, std::min(timeout_us, kHourUs));
    return Heed();
  }

 private:
  bool Heed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    woken_ = finished_;
    return finished_;
  }
  bool IsWoken() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return woken_; }

  Mutex mutex_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace quaver
