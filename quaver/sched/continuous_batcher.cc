// See continuous_batcher.h.
#include "quaver/sched/continuous_batcher.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/base/workers.h"
#include "quaver/sched/internal/wake_up.h"

namespace quaver {

// A caller of Run.
struct ContinuousBatcher::Waiter {
  SteppedItem* item;
  Instance* leads = nullptr;  // guarded by the batcher's mutex
  bool joined = false;        // the leader's
  int64_t came_us = 0;
  int64_t joined_us = 0;  // the leader's
  WakeUp wake_up = {};
};

struct ContinuousBatcher::Instance {
  explicit Instance(int its_number) : number(its_number) {}
  const int number;
  std::vector<Waiter*> active;  // in the order they came; its leader's
  // Guarded by the batcher's mutex. The number is as the leader last said, what
  // is about to join included.
  size_t num_active = 0;
  bool has_leader = false;
};

ContinuousBatcher::ContinuousBatcher(const ContinuousBatcherConfig& config,
                                     SteppedEngine engine, const Clock& clock)
    : max_active_(static_cast<size_t>(config.max_active)),
      max_waiting_(static_cast<size_t>(config.max_waiting)),
      engine_(std::move(engine)),
      clock_(clock) {
  QUAVER_CHECK(config.max_active > 0 && config.max_waiting >= 0);
  Resize(config.num_instances);
}

ContinuousBatcher::~ContinuousBatcher() {
  const MutexLock lock(&mutex_);
  QUAVER_CHECK(idle_.size() == instances_.size());
}

int ContinuousBatcher::num_instances() const {
  const MutexLock lock(&mutex_);
  return num_instances_;
}

void ContinuousBatcher::Resize(int num_instances) {
  QUAVER_CHECK(num_instances >= 0);
  const int wanted = num_instances == 0 ? AvailableCores() : num_instances;
  const MutexLock lock(&mutex_);
  std::erase_if(idle_, [&](const Instance* instance) {
    return instance->number >= wanted;
  });
  for (int i = num_instances_; i < wanted; ++i) {
    instances_.push_back(std::make_unique<Instance>(i));
    idle_.insert(idle_.begin(), instances_.back().get());
  }
  num_instances_ = wanted;
  Dispatch();
  mutex_.Await(this, &ContinuousBatcher::UnwantedAreDone);
  instances_.resize(static_cast<size_t>(wanted));
}

bool ContinuousBatcher::IsWanted(const Instance& instance) const {
  return instance.number < num_instances_;
}

bool ContinuousBatcher::UnwantedAreDone() const {
  return std::none_of(
      instances_.begin() + num_instances_, instances_.end(),
      [](const auto& instance) { return instance->has_leader; });
}

int ContinuousBatcher::num_waiting() const {
  const MutexLock lock(&mutex_);
  return static_cast<int>(queue_.size());
}

StepStatistics ContinuousBatcher::statistics() const {
  const MutexLock lock(&mutex_);
  StepStatistics statistics = statistics_;
  statistics.num_waiting = static_cast<int>(queue_.size());
  statistics.num_instances = num_instances_;
  for (const auto& instance : instances_) {
    statistics.num_active += static_cast<int>(instance->num_active);
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
    Begin(self);
    return absl::OkStatus();
  }
  if (queue_.size() >= max_waiting_) {
    return absl::ResourceExhaustedError(fmt::format(
        "Exceeds maximum queue size of {}; try again later", max_waiting_));
  }
  queue_.push_back(&self);
  return absl::OkStatus();
}

void ContinuousBatcher::Begin(Waiter& waiter) {
  Instance& instance = *idle_.back();
  idle_.pop_back();
  instance.num_active = 1;
  instance.has_leader = true;
  waiter.leads = &instance;
}

void ContinuousBatcher::Dispatch() {
  while (!idle_.empty() && !queue_.empty()) {
    Waiter& first = *queue_.front();
    queue_.pop_front();
    Begin(first);
    first.wake_up.Wake();
  }
}

bool ContinuousBatcher::Leads(const Waiter& self) const {
  const MutexLock lock(&mutex_);
  return self.leads != nullptr;
}

void ContinuousBatcher::Lead(Waiter& self) {
  Instance& instance = *self.leads;
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

bool ContinuousBatcher::Join(Instance& instance, Waiter& waiter) {
  SteppedItem& item = *waiter.item;
  waiter.joined_us = clock_.NowUs();
  item.times.queue_us = waiter.joined_us - waiter.came_us;
  item.status = CheckWanted(item.options, waiter.joined_us);
  if (item.status.ok()) item.status = engine_.add(instance.number, item);
  waiter.joined = item.status.ok();
  if (waiter.joined) instance.active.push_back(&waiter);
  return waiter.joined;
}

std::vector<ContinuousBatcher::Waiter*> ContinuousBatcher::DropUnwanted(
    Instance& instance) {
  std::vector<Waiter*> dropped;
  const int64_t now_us = clock_.NowUs();
  std::erase_if(instance.active, [&](Waiter* waiter) {
    absl::Status wanted = CheckWanted(waiter->item->options, now_us);
    if (wanted.ok()) return false;
    engine_.remove(instance.number, *waiter->item);
    waiter->item->status = std::move(wanted);
    dropped.push_back(waiter);
    return true;
  });
  return dropped;
}

std::vector<ContinuousBatcher::Waiter*> ContinuousBatcher::Advance(
    Instance& instance) {
  std::vector<Waiter*>& active = instance.active;
  std::vector<Waiter*> answered = DropUnwanted(instance);
  for (Waiter* waiter : TakeWaiting(instance)) {
    if (!Join(instance, *waiter)) answered.push_back(waiter);
  }
  if (!active.empty()) {
    const size_t num_items = active.size();
    const Stopwatch stopwatch(clock_);
    const std::vector<SteppedItem*> done = engine_.step(instance.number);
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
    Instance& instance) {
  std::vector<Waiter*> taken;
  const MutexLock lock(&mutex_);
  instance.num_active = instance.active.size();
  if (!IsWanted(instance)) return taken;
  const size_t most = std::min(Share(), max_active_);
  while (instance.num_active < most && !queue_.empty()) {
    taken.push_back(queue_.front());
    queue_.pop_front();
    ++instance.num_active;
  }
  return taken;
}

size_t ContinuousBatcher::Share() const {
  const auto wanted = static_cast<size_t>(num_instances_);
  size_t all = queue_.size();
  for (size_t i = 0; i < wanted; ++i) all += instances_[i]->num_active;
  return (all + wanted - 1) / wanted;
}

void ContinuousBatcher::PassOn(Instance& instance) {
  const MutexLock lock(&mutex_);
  instance.num_active = instance.active.size();
  if (!instance.active.empty()) {
    Waiter& next = *instance.active.back();
    next.leads = &instance;
    next.wake_up.Wake();  // under the mutex: it may be awake, and return
    return;
  }
  instance.has_leader = false;
  if (!IsWanted(instance)) return;
  idle_.push_back(&instance);
  Dispatch();
}

}  // namespace quaver
