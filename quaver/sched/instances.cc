// See instances.h.
#include "quaver/sched/instances.h"

#include <algorithm>

#include "quaver/base/check.h"
#include "quaver/base/workers.h"

namespace quaver {

InstancePool::InstancePool(const InstancePoolConfig& config, const Clock& clock)
    : num_instances_(config.num_instances == 0 ? AvailableCores()
                                               : config.num_instances),
      max_waiting_(config.max_waiting),
      clock_(clock) {
  QUAVER_CHECK(num_instances_ > 0 && max_waiting_ >= 0);
  for (int i = num_instances_ - 1; i >= 0; --i) free_.push_back(i);
}

InstancePool::~InstancePool() {
  const MutexLock lock(&mutex_);
  QUAVER_CHECK(free_.size() == static_cast<size_t>(num_instances_));
}

InstancePool::Lease::~Lease() {
  if (pool_ != nullptr) pool_->Release(index_);
}

int InstancePool::num_waiting() const {
  const MutexLock lock(&mutex_);
  return static_cast<int>(line_.size());
}

absl::StatusOr<InstancePool::Lease> InstancePool::Acquire(int64_t deadline_us) {
  const MutexLock lock(&mutex_);
  if (!free_.empty()) {  // the line is empty then
    const int index = free_.back();
    free_.pop_back();
    return Lease(this, index);
  }
  if (line_.size() >= static_cast<size_t>(max_waiting_)) {
    return absl::UnavailableError(fmt::format(
        "all {} instances are busy and {} requests wait; try again later",
        num_instances_, line_.size()));
  }
  Waiter waiter;
  line_.push_back(&waiter);
  if (deadline_us == kNoDeadline) {
    mutex_.Await(&waiter, &Waiter::Served);
  } else {
    const int64_t left_us = std::max<int64_t>(0, deadline_us - clock_.NowUs());
    mutex_.AwaitFor(&waiter, &Waiter::Served, left_us);
  }
  if (waiter.index >= 0) return Lease(this, waiter.index);
  line_.erase(std::find(line_.begin(), line_.end(), &waiter));
  return absl::DeadlineExceededError(
      fmt::format("no instance of {} was free in time", num_instances_));
}

void InstancePool::Release(int index) {
  const MutexLock lock(&mutex_);
  if (line_.empty()) {
    free_.push_back(index);
    return;
  }
  line_.front()->index = index;
  line_.pop_front();
}

}  // namespace quaver
