// A mutex that waits for conditions, checked by clang and visible to TSan.
// Threads that hold a core of cores.h do not wait for conditions.
//
//   MutexLock lock(&mutex_);
//   mutex_.Await(this, &Queue::HasWork);
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "absl/base/thread_annotations.h"

namespace quaver {

// Not absl::Mutex: Debian's library is built without TSan's annotations, so
// under TSan every use of it looks like a race. Not reentrant.
class ABSL_LOCKABLE Mutex {
 public:
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION();

  // Waits until (object->*holds)() is true; it is called with the mutex held,
  // at first and whenever someone unlocked or began to wait. Nobody has to
  // notify.
  template <typename T>
  void Await(const T* object, bool (T::*holds)() const)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(this);
  // The same for at most `timeout_us`; returns whether it holds.
  template <typename T>
  bool AwaitFor(const T* object, bool (T::*holds)() const, int64_t timeout_us)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(this);

 private:
  void BeginWait();

  std::mutex mutex_;
  std::condition_variable unlocked_;
  int num_waiting_ = 0;  // guarded by mutex_
};

// Holds the mutex as long as it lives.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : mutex_(mutex) {
    mutex_->Lock();
  }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

template <typename T>
void Mutex::Await(const T* object, bool (T::*holds)() const) {
  std::unique_lock<std::mutex> lock(mutex_, std::adopt_lock);
  BeginWait();
  unlocked_.wait(lock, [&] { return (object->*holds)(); });
  --num_waiting_;
  lock.release();
}

template <typename T>
bool Mutex::AwaitFor(const T* object, bool (T::*holds)() const,
                     int64_t timeout_us) {
  std::unique_lock<std::mutex> lock(mutex_, std::adopt_lock);
  BeginWait();
  const bool held =
      unlocked_.wait_for(lock, std::chrono::microseconds(timeout_us),
                         [&] { return (object->*holds)(); });
  --num_waiting_;
  lock.release();
  return held;
}

}  // namespace quaver
