// A dynamic batcher: callers bring items, batches of them are computed.
//
//   ASSIGN_OR_RETURN(auto batcher, Batcher::Create(
//       {.num_instances = 2, .max_batch_tokens = 256}, compute));
//   RETURN_IF_ERROR(batcher->Run(item));  // compute(instance, {.., &item, ..})
//
// Law
//
// A queue a priority level, bounded; first come, first served; level 1 first.
// When it is full, Run answers ResourceExhausted at once.
//
// A batch is the longest beginning of the queue that fits max_batch_size and
// max_batch_tokens; where items are of several kinds, of what the queue has of
// one: that whose first item came first, unless it still waits to grow and
// another one of the first 16 does not. With preserve_ordering a batch ends
// before the first item of another kind (reason "other kind"). Whenever an
// instance is idle and the queue is not empty, it closes at once, for the first
// reason that holds:
//   preferred size  a beginning of it has one of preferred_batch_sizes (the
//                   longest such is taken), unless the delay is over
//   full            the next item does not fit max_batch_size
//   token budget    the next item does not fit max_batch_tokens
//   shutdown        Stop was called
//   delay           its oldest item is max_queue_delay_us old. With a delay of
//                   0 no item waits while an instance is idle
//   deadline        an item's deadline or timeout is no further than two such
//                   batches take and 1 ms, or a larger batch would be too late
//   adaptive        see below
// Otherwise it waits for the earliest of these moments or for the next item. So
// an item waits max_queue_delay_us beside an idle instance at most; beside busy
// ones, as long as the batches take that are before it.
//
// Adaptive. A batch of x tokens takes a + b x. Say k items of x tokens wait for
// the only idle instance, and one more of y tokens is expected in g. To wait
// for it costs each of the k items g + b y. If they go now, the newcomer waits
// for them, a + b x - g, and then takes a + b y; together all take
// a + b (x + y): it gains a - g. So waiting pays while
//     (k + 1) g + k b y < a
// and ends (a - k b y) / (k + 1) after the newest item: whoever waits in vain
// loses no more than could have been gained. Where a second instance is idle
// nothing is gained. a, b, g, y are exponentially weighted means. A caller that
// asks one by one is never made to wait: then g is more than a.
//
// An item is dropped, not computed, when before its batch begins it is
// cancelled (Cancelled), its timeout passes and the policy is to reject, its
// deadline passes, or it is expected to pass before the batch is done, which is
// taken to last a + b x and twice the mean deviation from that
// (DeadlineExceeded). Where a batch would be done too late for some of its
// items, it is made no larger than one, found greedily, that could be formed
// of the queue and would be in time for all its items; what is late even so is
// dropped. So an overload is served from what has time left, in batches as
// large as that allows. The last item of a queue gets the benefit of the doubt.
// A cancellation is seen when a batch is formed or the queue is full.
//
// There are no threads of instances: leader and followers. A batch is computed
// by one of the threads that wait for it, on an instance's number; the others
// sleep until it is done. So a call that finds an instance idle is computed
// where it is: 0.3 us, instead of the way to another thread and back, 5 us on
// an idle machine and 70 on a busy one (batcher_bench.cc). A thread that gives
// its instance back wakes only the first in the queue, which takes along what
// came meanwhile, unless a newcomer that is awake was faster.
//
// Resize takes effect at once: an instance that is not wanted any more finishes
// its batch and gets no other one.
//
// An item belongs to its caller. From Run's begin to its return it may be read
// by the threads of other callers, and the batch's leader writes to it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/clock.h"
#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/sched/batching.h"

namespace quaver {

class BatchQueue;
struct QueuedItem;

// Thread-safe. REQUIRES: every Run returned before the destruction.
class Batcher {
 public:
  // Computes a batch on instance [0, num_instances), the greatest number of
  // them so far; an item that fails gets a status. No two calls at a time have
  // the same instance. Must not throw.
  using Compute =
      std::function<void(int instance, std::span<BatchItem* const> batch)>;

  // Errors as CheckBatcherConfig's.
  static absl::StatusOr<std::unique_ptr<Batcher>> Create(
      const BatcherConfig& config, Compute compute,
      const Clock& clock = Clock::Real());
  ~Batcher();

  int num_instances() const ABSL_LOCKS_EXCLUDED(mutex_);
  // 0: AvailableCores(). Blocks until the batches of instances that are not
  // wanted any more are done. REQUIRES: num_instances >= 0.
  void Resize(int num_instances) ABSL_LOCKS_EXCLUDED(mutex_);

  // Blocks until the item is computed or dropped, and returns its status.
  // Unavailable after Stop, ResourceExhausted, DeadlineExceeded, Cancelled as
  // the law says; InvalidArgument for an item larger than a batch.
  // REQUIRES: item.size > 0, item.tokens >= 0.
  absl::Status Run(BatchItem& item) ABSL_LOCKS_EXCLUDED(mutex_);

  // Refuses what comes from now on and returns when nothing is queued and no
  // batch is computed any more.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  BatcherStatistics statistics() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Waiter;
  struct Batch;
  Batcher(const BatcherConfig& config, Compute compute, const Clock& clock);

  absl::Status Enqueue(Waiter& self) ABSL_LOCKS_EXCLUDED(mutex_);
  // The batch that this thread is to compute, if any. Sets when to ask again.
  std::optional<Batch> Decide(Waiter& self, int64_t& wait_us)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Lead(Batch batch) ABSL_LOCKS_EXCLUDED(mutex_);
  // Counts the batch, gives its instance back, returns whom to wake.
  std::vector<Waiter*> Finish(Batch batch, int64_t compute_us)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Forms batches as long as instances are idle. `self` may be null: the
  // thread that asks. Returns when the front of the queue is to ask again.
  int64_t Dispatch(Waiter* self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Answers those that left the queue without a batch.
  void Refuse(std::span<QueuedItem* const> dropped)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns whether anything was dropped.
  bool Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Start(Batch batch, Waiter* self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes the front's thread decide at `when_us` or before.
  void WakeFront(int64_t when_us, const Waiter* self)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountRefusal(const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool UnwantedIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const bool preserve_ordering_;
  const Compute compute_;
  const Clock& clock_;
  mutable Mutex mutex_;
  const std::unique_ptr<BatchQueue> queue_ ABSL_PT_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int num_instances_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<int> idle_ ABSL_GUARDED_BY(mutex_);   // last used at the end
  std::vector<bool> busy_ ABSL_GUARDED_BY(mutex_);  // by instance, unwanted too
  BatcherStatistics statistics_ ABSL_GUARDED_BY(mutex_);
  // Batches by the order in which they began; done ones that wait for earlier
  // ones, to preserve the ordering.
  uint64_t next_number_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t next_answered_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, std::vector<Waiter*>> held_back_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quaver
