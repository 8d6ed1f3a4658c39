// See continuous_batcher.h.
#include "quaver/sched/continuous_batcher.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/base/workers.h"
#include "quaver/sched/internal/wake_up.h"

namespace quaver {

// A caller of Run.
struct ContinuousBatcher::Waiter {
  SteppedItem* item;
  std::optional<int> leads = std::nullopt;  // guarded by the batcher's mutex
  bool joined = false;                      // the leader's
  int64_t came_us = 0;
  int64_t joined_us = 0;  // the leader's
  WakeUp wake_up = {};
};

ContinuousBatcher::ContinuousBatcher(const ContinuousBatcherConfig& config,
                                     SteppedEngine engine, const Clock& clock)
    : max_active_(static_cast<size_t>(config.max_active)),
      max_waiting_(static_cast<size_t>(config.max_waiting)),
      engine_(std::move(engine)),
      clock_(clock),
      active_(static_cast<size_t>(config.num_instances == 0
                                      ? AvailableCores()
                                      : config.num_instances)) {
  QUAVER_CHECK(config.num_instances >= 0 && config.max_active > 0 &&
               config.max_waiting >= 0);
  const MutexLock lock(&mutex_);
  num_active_.resize(active_.size());
  for (int i = num_instances() - 1; i >= 0; --i) idle_.push_back(i);
}

ContinuousBatcher::~ContinuousBatcher() {
  const MutexLock lock(&mutex_);
  QUAVER_CHECK(idle_.size() == active_.size());
}

int ContinuousBatcher::num_waiting() const {
  const MutexLock lock(&mutex_);
  return static_cast<int>(queue_.size());
}

StepStatistics ContinuousBatcher::statistics() const {
  const MutexLock lock(&mutex_);
  StepStatistics statistics = statistics_;
  statistics.num_waiting = static_cast<int>(queue_.size());
  statistics.num_instances = num_instances();
  for (const size_t active : num_active_) {
    statistics.num_active += static_cast<int>(active);
  }
  return statistics;
}

void ContinuousBatcher::Count(const SteppedItem& item) {
  const MutexLock lock(&mutex_);
  switch (item.status.code()) {
    case absl::StatusCode::kOk:
      ++statistics_.num_succeeded;
      statistics_.times.queue_us += item.times.queue_us;
      statistics_.times.compute_us += item.times.compute_us;
      return;
    case absl::StatusCode::kResourceExhausted:
      ++statistics_.num_rejected;
      return;
    case absl::StatusCode::kDeadlineExceeded:
      ++statistics_.num_expired;
      return;
    case absl::StatusCode::kCancelled:
      ++statistics_.num_cancelled;
      return;
    default:
      ++statistics_.num_failed;
  }
}

void ContinuousBatcher::CountStep(size_t num_items, int64_t compute_us) {
  const MutexLock lock(&mutex_);
  auto& steps = statistics_.by_size[static_cast<int>(num_items)];
  ++steps.count;
  steps.compute_us += compute_us;
}

absl::Status ContinuousBatcher::Run(SteppedItem& item) {
  item.times = {};
  item.status = Serve(item);
  Count(item);
  return item.status;
}

absl::Status ContinuousBatcher::Serve(SteppedItem& item) {
  item.status = absl::OkStatus();
  Waiter self{.item = &item, .came_us = clock_.NowUs()};
  RETURN_IF_ERROR(Enter(self));
  while (!Leads(self)) {
    if (self.wake_up.AwaitFor(std::numeric_limits<int64_t>::max())) {
      return item.status;
    }
  }
  Lead(self);
  return item.status;
}

absl::Status ContinuousBatcher::Enter(Waiter& self) {
  const MutexLock lock(&mutex_);
  if (!idle_.empty()) {
    self.leads = idle_.back();
    num_active_[static_cast<size_t>(idle_.back())] = 1;
    idle_.pop_back();
    return absl::OkStatus();
  }
  if (queue_.size() >= max_waiting_) {
    return absl::ResourceExhaustedError(fmt::format(
        "all {} instances are busy and {} requests wait; try again later",
        active_.size(), queue_.size()));
  }
  queue_.push_back(&self);
  return absl::OkStatus();
}

bool ContinuousBatcher::Leads(const Waiter& self) const {
  const MutexLock lock(&mutex_);
  return self.leads.has_value();
}

void ContinuousBatcher::Lead(Waiter& self) {
  const int instance = *self.leads;
  bool done = !self.joined && !Join(instance, self);
  std::vector<Waiter*> answered;
  while (!done) {
    for (Waiter* waiter : answered) waiter->wake_up.Finish();
    answered = Advance(instance);
    done = std::erase(answered, &self) > 0;
  }
  PassOn(instance);  // first: the others compute nothing
  for (Waiter* waiter : answered) waiter->wake_up.Finish();
}

bool ContinuousBatcher::Join(int instance, Waiter& waiter) {
  SteppedItem& item = *waiter.item;
  waiter.joined_us = clock_.NowUs();
  item.times.queue_us = waiter.joined_us - waiter.came_us;
  item.status = CheckWanted(item.options, waiter.joined_us);
  if (item.status.ok()) item.status = engine_.add(instance, item);
  waiter.joined = item.status.ok();
  if (waiter.joined) active_[static_cast<size_t>(instance)].push_back(&waiter);
  return waiter.joined;
}

std::vector<ContinuousBatcher::Waiter*> ContinuousBatcher::DropUnwanted(
    int instance) {
  std::vector<Waiter*>& active = active_[static_cast<size_t>(instance)];
  std::vector<Waiter*> dropped;
  const int64_t now_us = clock_.NowUs();
  std::erase_if(active, [&](Waiter* waiter) {
    absl::Status wanted = CheckWanted(waiter->item->options, now_us);
    if (wanted.ok()) return false;
    engine_.remove(instance, *waiter->item);
    waiter->item->status = std::move(wanted);
    dropped.push_back(waiter);
    return true;
  });
  return dropped;
}

std::vector<ContinuousBatcher::Waiter*> ContinuousBatcher::Advance(
    int instance) {
  std::vector<Waiter*>& active = active_[static_cast<size_t>(instance)];
  std::vector<Waiter*> answered = DropUnwanted(instance);
  for (Waiter* waiter : TakeWaiting(instance)) {
    if (!Join(instance, *waiter)) answered.push_back(waiter);
  }
  if (!active.empty()) {
    const size_t num_items = active.size();
    const Stopwatch stopwatch(clock_);
    const std::vector<SteppedItem*> done = engine_.step(instance);
    CountStep(num_items, stopwatch.ElapsedUs());
    for (const SteppedItem* item : done) {
      const auto found =
          std::find_if(active.begin(), active.end(),
                       [&](const Waiter* one) { return one->item == item; });
      QUAVER_CHECK(found != active.end());
      answered.push_back(*found);
      active.erase(found);
    }
  }
  const int64_t now_us = clock_.NowUs();
  for (const Waiter* waiter : answered) {
    if (!waiter->joined) continue;
    waiter->item->times.compute_us = now_us - waiter->joined_us;
  }
  return answered;
}

std::vector<ContinuousBatcher::Waiter*> ContinuousBatcher::TakeWaiting(
    int instance) {
  const size_t active = active_[static_cast<size_t>(instance)].size();
  const MutexLock lock(&mutex_);
  size_t& counted = num_active_[static_cast<size_t>(instance)];
  counted = active;
  const size_t all =
      std::accumulate(num_active_.begin(), num_active_.end(), queue_.size());
  const size_t share = (all + num_active_.size() - 1) / num_active_.size();
  std::vector<Waiter*> taken;
  while (counted < std::min(share, max_active_) && !queue_.empty()) {
    taken.push_back(queue_.front());
    queue_.pop_front();
    ++counted;
  }
  return taken;
}

void ContinuousBatcher::PassOn(int instance) {
  const std::vector<Waiter*>& active = active_[static_cast<size_t>(instance)];
  const MutexLock lock(&mutex_);
  size_t& counted = num_active_[static_cast<size_t>(instance)];
  counted = active.size();
  Waiter* next = nullptr;
  if (!active.empty()) {
    next = active.back();
  } else if (!queue_.empty()) {
    next = queue_.front();
    queue_.pop_front();
    counted = 1;
  } else {
    idle_.push_back(instance);
    return;
  }
  next->leads = instance;
  next->wake_up.Wake();  // under the mutex: it may be awake already, and return
}

}  // namespace quaver
