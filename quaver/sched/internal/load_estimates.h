// How fast items come and what a batch costs: exponentially weighted means.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quaver {

// A batch of x tokens takes about a + b x: a line through what was measured.
// Not thread-safe.
class LoadEstimates {
 public:
  void Arrived(int64_t now_us, int64_t tokens);
  void Computed(int64_t tokens, int64_t compute_us);

  // 0 before anything was computed.
  int64_t CostUs(int64_t tokens) const;
  // What few batches exceed: the cost and twice the mean deviation from it.
  // Where costs are spread evenly around their mean none does.
  int64_t SafeCostUs(int64_t tokens) const;
  // For how long after the newest arrival it is worth waiting for another one,
  // when `num_items` wait for an instance and no second one is idle. 0: not at
  // all. The rule is in batcher.h.
  int64_t WorthWaitingUs(size_t num_items) const;
  // Of an item; 0 before the first.
  double mean_tokens() const { return mean_tokens_; }

 private:
  double CostPerToken() const;  // b
  double FixedCostUs() const;   // a
  int64_t num_arrivals_ = 0;
  int64_t num_batches_ = 0;
  int64_t last_arrival_us_ = 0;
  double gap_us_ = 0;       // between arrivals
  double mean_tokens_ = 0;  // of an item
  // Moments of (tokens, cost) over batches.
  double batch_tokens_ = 0;
  double batch_cost_us_ = 0;
  double variance_ = 0;      // of tokens
  double covariance_ = 0;    // of tokens and cost
  double deviation_us_ = 0;  // mean of |cost - what it was estimated to be|
};

}  // namespace quaver
