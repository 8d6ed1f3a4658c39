// The process's cores, lent to threads that compute: so that all models and
// searches together run no more threads than the cgroup grants, and what is
// worth a second thread only while a core is idle takes idle cores alone.
//
//   const CoreLease core;     // the thread may compute
//   ...
//   const CorePause pause;    // around a wait for another thread
//
// Where a quota grants less than there are cores, more threads than it grants
// use it up side by side and then all stand still for the rest of its period:
// there the budget binds, and who comes when all cores are lent waits. Where
// there is no such quota the kernel shares the cores, which serves short calls
// beside long ones better than turns do: nobody waits, and the budget counts.
// Numbers: docs/results/engine.md.
//
// Law: a thread that holds a core may wait for memory, files and short critical
// sections, but not for another thread's work: that thread may need the core.
// Whoever waits for others pauses; Mutex::Await checks that they do.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace quaver {

// Thread-safe, allocates nothing. An idle core is given at once, 10 ns; else,
// where the budget binds, in the order that threads came.
class CoreBudget {
 public:
  // REQUIRES: num_cores > 0.
  explicit CoreBudget(int num_cores, bool binds = true);
  // Of AvailableCores(), binding if QuotaBinds(), as it was when this was first
  // called.
  static CoreBudget& OfProcess();

  // A core for the caller; blocks where the budget binds and none is idle.
  void Take();
  // At most so many, of those that are idle now; returns how many.
  int TakeIdle(int most);
  void Give(int count);

  int num_waiting() const;  // threads, now
  bool binds() const;
  // REQUIRES: nobody waits.
  void SetBinds(bool binds);

 private:
  struct Waiter;
  mutable std::mutex mutex_;
  const int num_cores_;
  bool binds_;               // guarded by mutex_
  int num_lent_ = 0;         // likewise; too many only if it does not bind
  Waiter* first_ = nullptr;  // of those in line, likewise
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
