// The process's cores, lent to threads that compute, so that all models and
// searches together never have more threads to run than there are cores.
//
//   const CoreLease core;     // waits for a core; the thread may compute
//   ...
//   const CorePause pause;    // around a wait for another thread
//
// Law: a thread that holds a core may wait for memory, files and short critical
// sections, but not for another thread's work: that thread may need the core.
// Whoever waits for others pauses; Mutex::Await checks that they do.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace quaver {

// Thread-safe, allocates nothing. An idle core is given at once, 30 ns; else
// in the order that threads came.
class CoreBudget {
 public:
  // REQUIRES: num_cores > 0.
  explicit CoreBudget(int num_cores);
  // Of AvailableCores(), as it was when this was first called.
  static CoreBudget& OfProcess();

  // Blocks until there is a core for the caller.
  void Take();
  // At most so many, of those that are idle now; returns how many.
  int TakeIdle(int most);
  void Give(int count);

  int num_waiting() const;  // threads, now

 private:
  struct Waiter;
  mutable std::mutex mutex_;
  int num_idle_;             // guarded by mutex_
  Waiter* first_ = nullptr;  // of those in line, guarded by mutex_
  Waiter** end_ = &first_;   // where the next one is put, likewise
};

// A core for the calling thread, until destruction on that thread. A thread
// that has one already keeps it, and takes none.
class CoreLease {
 public:
  explicit CoreLease(CoreBudget& budget = CoreBudget::OfProcess());
  // Of a core that was taken for this thread, which has none.
  CoreLease(CoreBudget& budget, std::adopt_lock_t);
  ~CoreLease();
  CoreLease(const CoreLease&) = delete;
  CoreLease& operator=(const CoreLease&) = delete;

 private:
  const bool taken_;
};

// The calling thread's core, if it has one, is given back until destruction,
// which blocks until there is one again.
class CorePause {
 public:
  CorePause();
  ~CorePause();
  CorePause(const CorePause&) = delete;
  CorePause& operator=(const CorePause&) = delete;

 private:
  CoreBudget* const budget_;  // null: the thread had no core
};

// Whether the calling thread has a core.
bool HoldsCore();

}  // namespace quaver
