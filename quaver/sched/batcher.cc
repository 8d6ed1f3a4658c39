// See batcher.h.
#include "quaver/sched/batcher.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/base/workers.h"
#include "quaver/sched/internal/batch_queue.h"
#include "quaver/sched/internal/wake_up.h"

namespace quaver {
namespace {

constexpr int64_t kNow = std::numeric_limits<int64_t>::min();

}  // namespace

struct Batcher::Batch {
  int instance = 0;
  uint64_t number = 0;
  CloseReason reason = CloseReason::kFull;
  std::vector<Waiter*> waiters;
};

// A caller of Run. Its fields are guarded by the batcher's mutex; once it left
// the queue, its item is the leader's.
class Batcher::Waiter : public QueuedItem {
 public:
  explicit Waiter(BatchItem* of) : QueuedItem(of) {}
  std::optional<Batch> to_lead;
  int64_t wakes_us = kNever;  // when its thread decides again by itself
  WakeUp wake_up;
};

absl::StatusOr<std::unique_ptr<Batcher>> Batcher::Create(
    const BatcherConfig& config, Compute compute, const Clock& clock) {
  RETURN_IF_ERROR(CheckBatcherConfig(config));
  return std::unique_ptr<Batcher>(
      new Batcher(config, std::move(compute), clock));
}

Batcher::Batcher(const BatcherConfig& config, Compute compute,
                 const Clock& clock)
    : preserve_ordering_(config.batching.preserve_ordering),
      compute_(std::move(compute)),
      clock_(clock),
      queue_(std::make_unique<BatchQueue>(config)) {
  Resize(config.num_instances);
}

Batcher::~Batcher() {
  const MutexLock lock(&mutex_);
  QUAVER_CHECK(Idle());
}

absl::Status Batcher::Run(BatchItem& item) {
  item.status = absl::OkStatus();
  Waiter self(&item);
  RETURN_IF_ERROR(Enqueue(self));
  int64_t wait_us = 0;
  do {
    std::optional<Batch> batch = Decide(self, wait_us);
    if (batch) Lead(*std::move(batch));
  } while (!self.wake_up.AwaitFor(wait_us));
  return item.status;
}

void Batcher::Stop() {
  const MutexLock lock(&mutex_);
  stopping_ = true;
  queue_->Stop();
  WakeFront(kNow, nullptr);
  mutex_.Await(this, &Batcher::Idle);
}

int Batcher::num_instances() const {
  const MutexLock lock(&mutex_);
  return num_instances_;
}

void Batcher::Resize(int num_instances) {
  QUAVER_CHECK(num_instances >= 0);
  const int wanted = num_instances == 0 ? AvailableCores() : num_instances;
  const MutexLock lock(&mutex_);
  busy_.resize(std::max(busy_.size(), static_cast<size_t>(wanted)));
  std::erase_if(idle_, [&](int instance) { return instance >= wanted; });
  for (int i = num_instances_; i < wanted; ++i) {
    if (!busy_[static_cast<size_t>(i)]) idle_.insert(idle_.begin(), i);
  }
  num_instances_ = wanted;
  WakeFront(kNow, nullptr);
  mutex_.Await(this, &Batcher::UnwantedIdle);
}

bool Batcher::UnwantedIdle() const {
  return std::find(busy_.begin() + num_instances_, busy_.end(), true) ==
         busy_.end();
}

bool Batcher::Idle() const {
  return queue_->empty() && statistics_.num_running == 0;
}

BatcherStatistics Batcher::statistics() const {
  const MutexLock lock(&mutex_);
  BatcherStatistics statistics = statistics_;
  statistics.num_queued = static_cast<int>(queue_->size());
  statistics.num_instances = num_instances_;
  return statistics;
}

absl::Status Batcher::Enqueue(Waiter& self) {
  const MutexLock lock(&mutex_);
  absl::Status status =
      stopping_ ? absl::UnavailableError("the model is being stopped")
                : queue_->Add(self, clock_.NowUs());
  if (absl::IsResourceExhausted(status) && Sweep()) {
    status = queue_->Add(self, clock_.NowUs());
    if (!status.ok()) Dispatch(nullptr);  // the front may be another one
  }
  if (!status.ok()) CountRefusal(status);
  return status;
}

std::optional<Batcher::Batch> Batcher::Decide(Waiter& self, int64_t& wait_us) {
  const MutexLock lock(&mutex_);
  if (self.queued && clock_.NowUs() >= queue_->ExpiryUs(self)) Sweep();
  const int64_t ask_again_us = Dispatch(&self);
  self.wakes_us = kNever;
  if (self.queued) {
    self.wakes_us = queue_->ExpiryUs(self);
    if (queue_->front() == &self) {
      self.wakes_us = std::min(self.wakes_us, ask_again_us);
    }
  }
  wait_us = self.wakes_us == kNever
                ? kNever
                : std::max<int64_t>(0, self.wakes_us - clock_.NowUs());
  return std::exchange(self.to_lead, std::nullopt);
}

void Batcher::Refuse(std::span<QueuedItem* const> dropped) {
  for (QueuedItem* queued : dropped) {
    CountRefusal(queued->item->status);
    static_cast<Waiter*>(queued)->wake_up.Finish();
  }
}

bool Batcher::Sweep() {
  const std::vector<QueuedItem*> dropped = queue_->Sweep(clock_.NowUs());
  Refuse(dropped);
  return !dropped.empty();
}

int64_t Batcher::Dispatch(Waiter* self) {
  int64_t ask_again_us = kNever;
  while (!idle_.empty() && !queue_->empty()) {
    Decision next =
        queue_->Next(clock_.NowUs(), static_cast<int>(idle_.size()));
    Refuse(next.dropped);
    if (next.batch.empty()) {
      ask_again_us = next.ask_again_us;
      break;
    }
    Batch batch{.reason = next.reason};
    for (QueuedItem* queued : next.batch) {
      batch.waiters.push_back(static_cast<Waiter*>(queued));
    }
    Start(std::move(batch), self);
  }
  WakeFront(ask_again_us, self);
  return ask_again_us;
}

void Batcher::Start(Batch batch, Waiter* self) {
  batch.instance = idle_.back();
  batch.number = next_number_++;
  idle_.pop_back();
  busy_[static_cast<size_t>(batch.instance)] = true;
  ++statistics_.num_running;
  const std::vector<Waiter*>& waiters = batch.waiters;
  const bool is_own =
      std::find(waiters.begin(), waiters.end(), self) != waiters.end();
  Waiter* leader = is_own ? self : waiters.front();
  leader->to_lead = std::move(batch);
  if (leader != self) leader->wake_up.Wake();
}

void Batcher::WakeFront(int64_t when_us, const Waiter* self) {
  auto* front = static_cast<Waiter*>(queue_->front());
  if (front == nullptr || front == self || front->wakes_us <= when_us) return;
  front->wakes_us = when_us;
  front->wake_up.Wake();
}

void Batcher::Lead(Batch batch) {
  const int64_t start_us = clock_.NowUs();
  int rows = 0;
  std::vector<BatchItem*> items;
  for (const Waiter* waiter : batch.waiters) {
    items.push_back(waiter->item);
    rows += waiter->item->size;
  }
  for (const Waiter* waiter : batch.waiters) {
    waiter->item->times.queue_us = start_us - waiter->arrival_us;
    waiter->item->batch_size = rows;
  }
  compute_(batch.instance, items);
  const int64_t compute_us = clock_.NowUs() - start_us;
  for (BatchItem* item : items) item->times.compute_us = compute_us;
  // Not under the mutex, which the woken would run into.
  for (Waiter* waiter : Finish(std::move(batch), compute_us)) {
    waiter->wake_up.Finish();
  }
}

std::vector<Batcher::Waiter*> Batcher::Finish(Batch batch, int64_t compute_us) {
  const MutexLock lock(&mutex_);
  int64_t tokens = 0;
  for (const Waiter* waiter : batch.waiters) {
    tokens += waiter->item->tokens;
    ++(waiter->item->status.ok() ? statistics_.num_succeeded
                                 : statistics_.num_failed);
    statistics_.times.queue_us += waiter->item->times.queue_us;
    statistics_.times.compute_us += compute_us;
  }
  auto& batches = statistics_.by_size[batch.waiters.front()->item->batch_size];
  ++batches.count;
  batches.compute_us += compute_us;
  ++statistics_.by_close_reason[static_cast<size_t>(batch.reason)];
  --statistics_.num_running;
  queue_->Computed(tokens, compute_us);
  busy_[static_cast<size_t>(batch.instance)] = false;
  if (batch.instance < num_instances_) idle_.push_back(batch.instance);
  WakeFront(kNow, nullptr);
  if (!preserve_ordering_) return std::move(batch.waiters);
  held_back_[batch.number] = std::move(batch.waiters);
  std::vector<Waiter*> answered;
  for (auto first = held_back_.find(next_answered_); first != held_back_.end();
       first = held_back_.find(++next_answered_)) {
    answered.insert(answered.end(), first->second.begin(), first->second.end());
    held_back_.erase(first);
  }
  return answered;
}

void Batcher::CountRefusal(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kCancelled:
      ++statistics_.num_cancelled;
      return;
    case absl::StatusCode::kDeadlineExceeded:
      ++statistics_.num_expired;
      return;
    case absl::StatusCode::kInvalidArgument:
      ++statistics_.num_invalid;
      return;
    default:
      ++statistics_.num_rejected;
  }
}

}  // namespace quaver
