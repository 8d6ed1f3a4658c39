// See cores.h.
#include "quaver/base/cores.h"

#include <algorithm>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/base/workers.h"

namespace quaver {
namespace {

// Whose core the calling thread has.
thread_local CoreBudget* held = nullptr;

}  // namespace

struct CoreBudget::Waiter {
  std::condition_variable given_one = {};
  bool given = false;  // guarded by the budget's mutex
  Waiter* next = nullptr;
};

CoreBudget::CoreBudget(int num_cores, bool binds)
    : num_cores_(num_cores), binds_(binds) {
  QUAVER_CHECK(num_cores > 0);
}

CoreBudget& CoreBudget::OfProcess() {
  static CoreBudget budget(AvailableCores(), QuotaBinds());
  return budget;
}

bool CoreBudget::binds() const {
  const std::lock_guard lock(mutex_);
  return binds_;
}

void CoreBudget::SetBinds(bool binds) {
  const std::lock_guard lock(mutex_);
  QUAVER_CHECK(first_ == nullptr);
  binds_ = binds;
}

void CoreBudget::Take() {
  std::unique_lock lock(mutex_);
  if (num_lent_ < num_cores_ || !binds_) {  // nobody is in line then
    ++num_lent_;
    return;
  }
  Waiter self;
  *end_ = &self;
  end_ = &self.next;
  self.given_one.wait(lock, [&] { return self.given; });
}

int CoreBudget::TakeIdle(int most) {
  const std::lock_guard lock(mutex_);
  const int count = std::clamp(num_cores_ - num_lent_, 0, most);
  num_lent_ += count;
  return count;
}

// A core that somebody waits for stays lent.
void CoreBudget::Give(int count) {
  const std::lock_guard lock(mutex_);
  for (; count > 0 && first_ != nullptr; --count) {
    Waiter& waiter = *std::exchange(first_, first_->next);
    if (first_ == nullptr) end_ = &first_;
    waiter.given = true;
    waiter.given_one.notify_one();  // under the mutex: then it may be gone
  }
  num_lent_ -= count;
}

int CoreBudget::num_waiting() const {
  const std::lock_guard lock(mutex_);
  int count = 0;
  for (const Waiter* one = first_; one != nullptr; one = one->next) ++count;
  return count;
}

CoreLease::CoreLease(CoreBudget& budget) : taken_(held != &budget) {
  if (!taken_) return;
  QUAVER_CHECK(held == nullptr);
  budget.Take();
  held = &budget;
}

CoreLease::CoreLease(CoreBudget& budget, std::adopt_lock_t) : taken_(true) {
  QUAVER_CHECK(held == nullptr);
  held = &budget;
}

CoreLease::~CoreLease() {
  if (taken_) std::exchange(held, nullptr)->Give(1);
}

CorePause::CorePause() : budget_(std::exchange(held, nullptr)) {
  if (budget_ != nullptr) budget_->Give(1);
}

CorePause::~CorePause() {
  if (budget_ == nullptr) return;
  budget_->Take();
  held = budget_;
}

bool HoldsCore() { return held != nullptr; }

}  // namespace quaver
