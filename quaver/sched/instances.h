// Instances that callers take turns with.
//
// Law: a free instance is given at once; otherwise callers wait in the order
// they came, at most `max_waiting` of them, each until its deadline. An
// instance that is given back goes to the first in the line. Resize takes
// effect at once: so do new instances, and one that is not wanted any more is
// not given again.
//
//   ASSIGN_OR_RETURN(const auto lease, pool.Acquire());
//   model.Encode(batch, workspaces[lease.index()], embeddings);
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/clock.h"
#include "quaver/base/mutex.h"
#include "quaver/base/status.h"

namespace quaver {

struct InstancePoolConfig {
  int num_instances = 0;   // 0: AvailableCores()
  int max_waiting = 1024;  // callers in line before Acquire refuses
};

// Thread-safe. Outlives its leases.
class InstancePool {
 public:
  static constexpr int64_t kNoDeadline = std::numeric_limits<int64_t>::max();

  // One instance, until destruction. Movable.
  class Lease {
   public:
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), index_(other.index_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    int index() const { return index_; }  // in [0, num_instances)

   private:
    friend class InstancePool;
    Lease(InstancePool* pool, int index) : pool_(pool), index_(index) {}
    InstancePool* pool_;
    int index_;
  };

  // REQUIRES: num_instances >= 0, max_waiting >= 0.
  explicit InstancePool(const InstancePoolConfig& config,
                        const Clock& clock = Clock::Real());
  ~InstancePool();

  int num_instances() const ABSL_LOCKS_EXCLUDED(mutex_);
  // 0: AvailableCores(). Blocks until those that are not wanted any more are
  // given back. One at a time. REQUIRES: num_instances >= 0.
  void Resize(int num_instances) ABSL_LOCKS_EXCLUDED(mutex_);
  // Callers in line now.
  int num_waiting() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Blocks. Unavailable when the line is full; DeadlineExceeded when
  // `deadline_us` of the clock passes first.
  absl::StatusOr<Lease> Acquire(int64_t deadline_us = kNoDeadline)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiter {
    int index = -1;  // of the instance it was given
    bool Served() const { return index >= 0; }
  };
  void Release(int index) ABSL_LOCKS_EXCLUDED(mutex_);
  // One of the free, or -1.
  int TakeFree() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // To the first in the line, or among the free.
  void Give(int index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasNoneUnwanted() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return num_unwanted_ == 0;
  }

  const int max_waiting_;
  const Clock& clock_;
  mutable Mutex mutex_;
  int num_instances_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<int> free_ ABSL_GUARDED_BY(mutex_);  // last used at the end
  int num_unwanted_ ABSL_GUARDED_BY(mutex_) = 0;   // leased, by Resize
  std::deque<Waiter*> line_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quaver
