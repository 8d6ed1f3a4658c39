// See load_estimates.h.
#include "quaver/sched/internal/load_estimates.h"

#include <algorithm>
#include <cmath>

namespace quaver {
namespace {

// The last 16 or so count: a change of load is seen within tens of ms.
constexpr double kWeight = 1.0 / 16;

// After a pause the mean is back within 16 ln(100 ms / gap) arrivals.
constexpr int64_t kMaxGapUs = 100'000;

// Batches that are all alike do not tell the fixed cost from the cost of a
// token; then there is no fixed cost, and waiting gains nothing.
constexpr double kMinDeviation = 0.1;  // of tokens, in means

}  // namespace

void LoadEstimates::Arrived(int64_t now_us, int64_t tokens) {
  if (num_arrivals_ > 0) {
    const auto gap_us =
        static_cast<double>(std::min(now_us - last_arrival_us_, kMaxGapUs));
    gap_us_ += (num_arrivals_ == 1 ? 1 : kWeight) * (gap_us - gap_us_);
  }
  mean_tokens_ += (num_arrivals_ == 0 ? 1 : kWeight) *
                  (static_cast<double>(tokens) - mean_tokens_);
  last_arrival_us_ = now_us;
  ++num_arrivals_;
}

void LoadEstimates::Computed(int64_t tokens, int64_t compute_us) {
  const double weight = num_batches_ == 0 ? 1 : kWeight;
  if (num_batches_ > 0) {
    const auto error_us = static_cast<double>(compute_us - CostUs(tokens));
    deviation_us_ += kWeight * (std::abs(error_us) - deviation_us_);
  }
  const double more_tokens = static_cast<double>(tokens) - batch_tokens_;
  const double more_us = static_cast<double>(compute_us) - batch_cost_us_;
  batch_tokens_ += weight * more_tokens;
  batch_cost_us_ += weight * more_us;
  variance_ = (1 - weight) * (variance_ + weight * more_tokens * more_tokens);
  covariance_ = (1 - weight) * (covariance_ + weight * more_tokens * more_us);
  ++num_batches_;
}

double LoadEstimates::CostPerToken() const {
  if (batch_tokens_ <= 0) return 0;
  const double through_zero = batch_cost_us_ / batch_tokens_;
  if (variance_ < std::pow(kMinDeviation * batch_tokens_, 2)) {
    return through_zero;
  }
  return std::clamp(covariance_ / variance_, 0.0, through_zero);
}

double LoadEstimates::FixedCostUs() const {
  return batch_tokens_ <= 0 ? 0
                            : batch_cost_us_ - CostPerToken() * batch_tokens_;
}

int64_t LoadEstimates::CostUs(int64_t tokens) const {
  if (batch_tokens_ <= 0) return std::llround(batch_cost_us_);
  return std::llround(FixedCostUs() +
                      CostPerToken() * static_cast<double>(tokens));
}

int64_t LoadEstimates::SafeCostUs(int64_t tokens) const {
  return CostUs(tokens) + std::llround(2 * deviation_us_);
}

int64_t LoadEstimates::WorthWaitingUs(size_t num_items) const {
  if (num_arrivals_ < 2) return 0;
  const auto k = static_cast<double>(num_items);
  const double gain_us = FixedCostUs() - k * CostPerToken() * mean_tokens_;
  const double patience_us = gain_us / (k + 1);
  return patience_us > gap_us_ ? std::llround(patience_us) : 0;
}

}  // namespace quaver
