// Callers bring items to engines that work in steps; items join between steps
// (continuous batching: Yu et al. 2022, "Orca").
//
//   ContinuousBatcher batcher({.num_instances = 2, .max_active = 8},
//                             {.add = add, .step = step});
//   RETURN_IF_ERROR(batcher.Run(item));
//
// Law
//
// An item that finds an instance idle begins there at once, in its caller's
// thread. Otherwise it waits in the queue, first come, first served; when
// max_waiting items wait, Run answers ResourceExhausted at once. Before each
// step an instance takes the first of the queue, as long as it has no more than
// max_active items and no more than its equal share of all, rounded up. So an
// item waits for a step of the emptiest instance while there are places, and
// else for one of the items before it. An item that is late or cancelled is
// answered so when its turn comes, or before the next step if it has joined.
//
// There are no threads of instances: leader and followers. All steps of an
// instance are taken by one of the threads whose items are in it; the others
// sleep until theirs are done. When the leader's own item is done, it makes
// another one the leader and returns: the caller whose item came last to the
// instance, so that leaders are few, else the first of the queue. A leader
// computes for others only as long as its own item takes.
//
// Resize takes effect at once. A new instance begins with the first of the
// queue, or is idle. One that is not wanted any more takes nothing from the
// queue and counts in no share; its items are finished by their own callers,
// one after the other its leader.
//
// An item belongs to its caller. From Run's begin to its return the threads of
// other callers read and write it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/clock.h"
#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/sched/call.h"
#include "quaver/sched/servable_counts.h"

namespace quaver {

struct ContinuousBatcherConfig {
  int num_instances = 0;   // 0: AvailableCores()
  int max_active = 8;      // items of an instance at once
  int max_waiting = 1024;  // items in the queue
};

// What there is to compute is added by derivation.
struct SteppedItem {
  CallOptions options;  // priority and timeout are not looked at
  absl::Status status;  // what Run returns
  CallTimes times;      // set by the batcher
};

// What instance [0, num_instances), the greatest number of them so far, does.
// No two calls at a time have the same instance. Must not throw.
struct SteppedEngine {
  // The item joins the instance; or an error, which is its answer.
  std::function<absl::Status(int instance, SteppedItem& item)> add;
  // One step for all that joined, one at least. Returns those that are done;
  // they have left the instance.
  std::function<std::vector<SteppedItem*>(int instance)> step;
  // The item, which joined, leaves the instance.
  std::function<void(int instance, SteppedItem& item)> remove;
};

// Thread-safe. REQUIRES: every Run returned before the destruction.
class ContinuousBatcher {
 public:
  // REQUIRES: num_instances >= 0, max_active > 0, max_waiting >= 0.
  ContinuousBatcher(const ContinuousBatcherConfig& config, SteppedEngine engine,
                    const Clock& clock = Clock::Real());
  ~ContinuousBatcher();

  int num_instances() const ABSL_LOCKS_EXCLUDED(mutex_);
  // 0: AvailableCores(). Blocks until the instances that are not wanted any
  // more have no items: the engine is called for none of them from then on.
  // REQUIRES: num_instances >= 0; no other Resize at a time.
  void Resize(int num_instances) ABSL_LOCKS_EXCLUDED(mutex_);
  int num_waiting() const ABSL_LOCKS_EXCLUDED(mutex_);
  StepStatistics statistics() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Blocks until the item is done or refused, and returns its status.
  absl::Status Run(SteppedItem& item) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiter;
  struct Instance;
  absl::Status Serve(SteppedItem& item) ABSL_LOCKS_EXCLUDED(mutex_);
  // What became of an item, and a step.
  void Count(const SteppedItem& item) ABSL_LOCKS_EXCLUDED(mutex_);
  void CountStep(size_t num_items, int64_t compute_us)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Makes `self` the leader of an idle instance or puts it into the queue.
  absl::Status Enter(Waiter& self) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Leads(const Waiter& self) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Until its own item is done.
  void Lead(Waiter& self) ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns whether the item is in the instance; else it has its answer.
  bool Join(Instance& instance, Waiter& waiter);
  // Lets items join and takes a step. Returns those that have their answers.
  std::vector<Waiter*> Advance(Instance& instance) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<Waiter*> TakeWaiting(Instance& instance)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Those of the instance that nobody wants any more, removed.
  std::vector<Waiter*> DropUnwanted(Instance& instance);
  // Finds the instance its next leader.
  void PassOn(Instance& instance) ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes `waiter` the leader of an idle instance. REQUIRES: there is one.
  void Begin(Waiter& waiter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The first of the queue begin, as long as instances are idle.
  void Dispatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsWanted(const Instance& instance) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Items of an instance, as long as all have equally many.
  size_t Share() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool UnwantedAreDone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_active_;
  const size_t max_waiting_;
  const SteppedEngine engine_;
  const Clock& clock_;
  mutable Mutex mutex_;
  int num_instances_ ABSL_GUARDED_BY(mutex_) = 0;
  // By number; behind num_instances_, those that finish their items.
  std::vector<std::unique_ptr<Instance>> instances_ ABSL_GUARDED_BY(mutex_);
  // Of those that are wanted; last used at the end.
  std::vector<Instance*> idle_ ABSL_GUARDED_BY(mutex_);
  // Empty while an instance is idle.
  std::deque<Waiter*> queue_ ABSL_GUARDED_BY(mutex_);
  StepStatistics statistics_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quaver
