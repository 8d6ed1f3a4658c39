// The processes of a Python model: started, lent to batches, started again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/backends/internal/python_process.h"
#include "quaver/backends/python_config.h"
#include "quaver/base/mutex.h"
#include "quaver/base/status.h"

namespace quaver {

// Asks the script for its configuration, completed, in a process of its own.
// Errors as PythonServable::Create's.
absl::StatusOr<std::string> CompletePythonConfig(const PythonConfig& config);

// Thread-safe. The law of restarts is in python_servable.h.
class PythonPool {
 public:
  // Without processes. `config` outlives the pool.
  explicit PythonPool(const PythonConfig& config);
  ~PythonPool();  // Resize(0). REQUIRES: every process was given back.

  // Starts what is missing, and returns when it has run initialize(), or
  // finalizes what is too many, once it is given back. When a start fails,
  // nothing changes. One call at a time. Errors as PythonServable::Create's.
  absl::Status Resize(int num_processes) ABSL_LOCKS_EXCLUDED(mutex_);

  // A process that does nothing, for one batch. DeadlineExceeded when none is
  // free by then; Unavailable when none works and the last starts failed.
  absl::StatusOr<std::shared_ptr<PythonProcess>> Acquire(int64_t deadline_us)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // `health`: OK when it answered; else it is killed and another one started.
  void GiveBack(const std::shared_ptr<PythonProcess>& process,
                const absl::Status& health) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Slot;

  // The thread of a slot: keeps a process in it. Lives as long as the slot is
  // wanted, as processes die with the thread that started them.
  void Keep(Slot& slot) ABSL_LOCKS_EXCLUDED(mutex_);
  void StartIn(Slot& slot) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes what is broken out of the slot, and waits before the next start.
  // Returns whether there is to be one.
  bool Clear(Slot& slot) ABSL_LOCKS_EXCLUDED(mutex_);
  void Finalize(PythonProcess& process) const;
  void Exited(Slot& slot) ABSL_LOCKS_EXCLUDED(mutex_);
  void Break(Slot& slot, const absl::Status& why)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RemoveBeyond(size_t num_slots) ABSL_LOCKS_EXCLUDED(mutex_);
  Slot* FindReady() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsHopeless() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CanTell() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return FindReady() != nullptr || IsHopeless();
  }
  bool AllStarted() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const PythonConfig& config_;
  mutable Mutex mutex_;
  // Slots and what is in them.
  std::vector<std::unique_ptr<Slot>> slots_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quaver
