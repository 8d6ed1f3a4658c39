// What a batcher is told and what it tells: configuration, items, counts. The
// law they belong to is in batcher.h; the fields are those of Triton's
// dynamic_batching, a few of ours beside them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/call.h"

namespace quaver {

inline constexpr int kMaxPriorityLevels = 256;

// Of one priority level's queue.
struct QueuePolicy {
  enum class TimeoutAction {
    kReject,  // DeadlineExceeded
    kDelay,   // behind all of its level that have not timed out
  };
  TimeoutAction timeout_action = TimeoutAction::kReject;
  int64_t default_timeout_us = 0;       // in the queue; 0: none
  bool allow_timeout_override = false;  // an item may ask for less
  int max_queue_size = 1024;            // items; 0: no bound
};

struct DynamicBatching {
  // Rows of a batch that is worth computing at once.
  std::vector<int> preferred_batch_sizes;
  // An idle instance waits at most as long for a batch to grow, counted from
  // its oldest item. 0: not at all.
  int64_t max_queue_delay_us = 0;
  // Waits less than max_queue_delay_us where waiting costs more than it gains.
  bool adaptive = false;
  // Answers leave in the order in which their items came. Needs one priority
  // level and no TimeoutAction::kDelay.
  bool preserve_ordering = false;
  int priority_levels = 0;         // 0: one level
  int default_priority_level = 0;  // in [1, priority_levels], if there are any
  QueuePolicy default_queue_policy;
  std::map<int, QueuePolicy> priority_queue_policies;  // by level
};

struct BatcherConfig {
  int num_instances = 0;   // batches computed at once; 0: AvailableCores()
  int max_batch_size = 0;  // rows of a batch; 0: no limit
  int64_t max_batch_tokens = 0;  // of a batch, all in all; 0: no limit
  DynamicBatching batching;
};

// InvalidArgument, naming the field.
absl::Status CheckBatcherConfig(const BatcherConfig& config);

// Work for a batch. Users derive from it.
struct BatchItem {
  int size = 1;        // rows
  int64_t tokens = 0;  // what its cost grows with, at least 1 where it
                       // has a deadline; rows where nothing is better
  // Items of a batch are of one kind. What it points to outlives the call.
  std::string_view kind;
  CallOptions options;

  absl::Status status;  // set by who computes, where that failed
  CallTimes times;      // set by the batcher
  int batch_size = 0;   // rows of its batch; set by the batcher
};

enum class CloseReason {
  kFull,           // the next item has too many rows, or none would fit
  kPreferredSize,  // a preferred size is reached
  kTokenBudget,    // the same as kFull for tokens
  kDelay,          // the oldest item waited max_queue_delay_us
  kAdaptive,       // further waiting costs more than it gains
  kDeadline,       // an item would be late otherwise
  kShutdown,       // nothing more will come
  kOtherKind,      // the next item is of another kind, the order to be kept
};
inline constexpr size_t kNumCloseReasons = 8;

// As a metric's label: "full", "preferred_size", ...
std::string_view Name(CloseReason reason);

// Since the start. Of every item that Run was given, exactly one of the first
// six counts.
struct BatcherStatistics {
  uint64_t num_succeeded = 0;
  uint64_t num_failed = 0;     // who computed it says so
  uint64_t num_rejected = 0;   // the queue was full or the batcher stopped
  uint64_t num_invalid = 0;    // larger than a batch
  uint64_t num_expired = 0;    // timeout or deadline
  uint64_t num_cancelled = 0;  // before its batch began
  CallTimes times;             // sums over items that succeeded or failed
  struct Batches {
    uint64_t count = 0;
    int64_t compute_us = 0;  // sum over batches
  };
  std::map<int, Batches> by_size;  // rows
  std::array<uint64_t, kNumCloseReasons> by_close_reason = {};
  int num_queued = 0;     // items, now
  int num_running = 0;    // batches, now
  int num_instances = 0;  // now
};

}  // namespace quaver
