// See instances.h.
#include "quaver/sched/instances.h"

#include <algorithm>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/base/cores.h"
#include "quaver/base/workers.h"

namespace quaver {

InstancePool::InstancePool(const InstancePoolConfig& config, const Clock& clock)
    : max_waiting_(config.max_waiting), clock_(clock) {
  QUAVER_CHECK(max_waiting_ >= 0);
  Resize(config.num_instances);
}

InstancePool::~InstancePool() {
  const MutexLock lock(&mutex_);
  QUAVER_CHECK(free_.size() == static_cast<size_t>(num_instances_));
}

int InstancePool::num_instances() const {
  const MutexLock lock(&mutex_);
  return num_instances_;
}

void InstancePool::Resize(int num_instances) {
  QUAVER_CHECK(num_instances >= 0);
  const int wanted = num_instances == 0 ? AvailableCores() : num_instances;
  const MutexLock lock(&mutex_);
  const int before = std::exchange(num_instances_, wanted);
  for (int i = wanted - 1; i >= before; --i) Give(i);
  const auto num_free = static_cast<int>(
      std::erase_if(free_, [&](int index) { return index >= wanted; }));
  num_unwanted_ = std::max(0, before - wanted) - num_free;
  mutex_.Await(this, &InstancePool::HasNoneUnwanted);
}

InstancePool::Lease::~Lease() {
  if (pool_ != nullptr) pool_->Release(index_);
}

int InstancePool::num_waiting() const {
  const MutexLock lock(&mutex_);
  return static_cast<int>(line_.size());
}

int InstancePool::TakeFree() {
  if (free_.empty()) return -1;  // else the line is empty
  const int index = free_.back();
  free_.pop_back();
  return index;
}

absl::StatusOr<InstancePool::Lease> InstancePool::Acquire(int64_t deadline_us) {
  {
    const MutexLock lock(&mutex_);
    if (const int index = TakeFree(); index >= 0) return Lease(this, index);
  }
  const CorePause pause;
  const MutexLock lock(&mutex_);
  if (const int index = TakeFree(); index >= 0) return Lease(this, index);
  if (line_.size() >= static_cast<size_t>(max_waiting_)) {
    return absl::UnavailableError(fmt::format(
        "Exceeds maximum queue size of {}; try again later", max_waiting_));
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
  if (index < num_instances_) {
    Give(index);
  } else {
    --num_unwanted_;
  }
}

void InstancePool::Give(int index) {
  if (line_.empty()) {
    free_.push_back(index);
    return;
  }
  line_.front()->index = index;
  line_.pop_front();
}

}  // namespace quaver
