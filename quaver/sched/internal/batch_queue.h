// Which items form the next batch, and when: the batcher's law without its
// threads. Time comes in as an argument.
//
//   RETURN_IF_ERROR(queue.Add(item, now_us));
//   const Decision next = queue.Next(now_us, /*num_idle=*/1);
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/batching.h"
#include "quaver/sched/internal/load_estimates.h"

namespace quaver {

// An item in the queue. Its user derives from it.
struct QueuedItem {
  explicit QueuedItem(BatchItem* of) : item(of) {}
  BatchItem* item;
  // The queue's.
  bool queued = false;
  size_t line = 0;
  int64_t arrival_us = 0;
  int64_t timeout_us = kNever;  // moment, not duration
};

struct Decision {
  std::vector<QueuedItem*> batch;  // has left the queue; empty: not yet
  CloseReason reason = CloseReason::kFull;
  int64_t ask_again_us = kNever;  // of an empty batch, unless something comes
  // Have left the queue as well; their items' status says why.
  std::vector<QueuedItem*> dropped;
};

// Not thread-safe. Items outlive their stay.
class BatchQueue {
 public:
  // REQUIRES: CheckBatcherConfig(config).ok().
  explicit BatchQueue(const BatcherConfig& config);

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // The next item's turn; null when empty.
  QueuedItem* front() const;

  // ResourceExhausted when its level's queue is full; InvalidArgument for an
  // item larger than a batch; Cancelled and DeadlineExceeded when it comes too
  // late.
  absl::Status Add(QueuedItem& item, int64_t now_us);
  // Takes out what is cancelled, has timed out or passed its deadline.
  std::vector<QueuedItem*> Sweep(int64_t now_us);
  // When Sweep takes it out, if nothing happens before.
  int64_t ExpiryUs(const QueuedItem& item) const;

  // For one of `num_idle` idle instances. Sweeps first.
  Decision Next(int64_t now_us, int num_idle);
  // What a batch took.
  void Computed(int64_t tokens, int64_t compute_us);
  // From now on no batch waits to grow.
  void Stop() { stopping_ = true; }

 private:
  using Line = std::deque<QueuedItem*>;
  // The longest beginning of a kind's items that fits.
  struct Prefix {
    std::vector<QueuedItem*> items;
    int size = 0;
    int64_t tokens = 0;
    std::optional<CloseReason> limit;  // that keeps it from growing
  };

  const QueuePolicy& PolicyOf(size_t line) const { return policies_[line / 2]; }
  size_t LineOf(const BatchItem& item) const;
  size_t NumOfLevel(size_t line) const;
  std::optional<absl::Status> Expired(const QueuedItem& queued,
                                      int64_t now_us) const;
  void Drop(QueuedItem& queued, absl::Status status,
            std::vector<QueuedItem*>& dropped);
  // Those whose turn it may be, in the order of their first items.
  std::vector<std::string_view> Kinds() const;
  Prefix Gather(std::string_view kind) const;
  // The same, no larger than can be done in time, and without what would be
  // late nevertheless, which is dropped.
  Prefix GatherInTime(std::string_view kind, int64_t now_us,
                      std::vector<QueuedItem*>& dropped);
  // Of a batch, found greedily, of which all would be done in time.
  int64_t TokensInTime(std::string_view kind, int64_t now_us) const;
  std::vector<QueuedItem*> LateOf(const Prefix& prefix, int64_t done_us) const;
  bool CutToPreferredSize(Prefix& prefix) const;
  int64_t HurryUs(const Prefix& prefix) const;
  int64_t PatienceEndsUs(const Prefix& prefix, int num_idle) const;
  // The reason to close, having cut the batch; or when to ask again.
  std::optional<CloseReason> Close(Prefix& prefix, int64_t now_us, int num_idle,
                                   int64_t& ask_again_us) const;
  void Remove(QueuedItem& queued);

  const BatcherConfig config_;
  std::vector<QueuePolicy> policies_;  // [levels]
  // [2 levels]: of each level those in time, then the delayed ones.
  std::vector<Line> lines_;
  size_t size_ = 0;
  bool stopping_ = false;
  LoadEstimates load_;
};

}  // namespace quaver
