// See single_flight.h.
#include "quaver/sched/single_flight.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/sched/internal/wake_up.h"
#include "quaver/sched/request_key.h"

namespace quaver {

// A caller of Infer. `leads` is guarded by the servable's mutex; a follower's
// answer is the leader's until its wake-up is finished.
struct SingleFlightServable::Caller {
  std::string key;
  const CallOptions& options;
  bool leads = false;
  absl::Status status = absl::OkStatus();
  std::shared_ptr<const Tensors> answer = nullptr;
  WakeUp wake_up = {};
};

SingleFlightServable::SingleFlightServable(std::shared_ptr<Servable> inner,
                                           const Clock& clock)
    : inner_(std::move(inner)), clock_(clock) {}

SingleFlightServable::~SingleFlightServable() {
  const MutexLock lock(&mutex_);
  QUAVER_CHECK(flights_.empty());
}

absl::StatusOr<Tensors> SingleFlightServable::Infer(const Tensors& request,
                                                    const CallOptions& options,
                                                    CallTimes* times) {
  const int64_t came_us = clock_.NowUs();
  RETURN_IF_ERROR(CheckWanted(options, came_us));
  // A call from within another one must not follow it: it would wait for
  // itself.
  Caller self{
      .key = RequestKey(fmt::format("{} {}", options.priority, options.depth),
                        request, options),
      .options = options};
  Enter(self);
  const bool leads = Follow(self);
  if (times != nullptr) times->queue_us += clock_.NowUs() - came_us;
  if (!leads) {
    RETURN_IF_ERROR(self.status);
    if (times != nullptr) times->from_cache = true;
    return *self.answer;
  }
  auto answer = inner_->Infer(request, options, times);
  if (absl::IsCancelled(answer.status()) ||
      absl::IsDeadlineExceeded(answer.status())) {
    PassOn(self);
    return answer;
  }
  const Followers followers = Land(self);
  if (followers.empty()) return answer;
  std::shared_ptr<const Tensors> shared;
  if (answer.ok()) shared = std::make_shared<const Tensors>(*answer);
  for (Caller* follower : followers) {
    follower->status = answer.status();
    follower->answer = shared;
    follower->wake_up.Finish();
  }
  return answer;
}

void SingleFlightServable::Enter(Caller& self) {
  const MutexLock lock(&mutex_);
  const auto [flight, is_new] = flights_.try_emplace(self.key);
  self.leads = is_new;
  if (!is_new) flight->second.push_back(&self);
}

bool SingleFlightServable::Leads(const Caller& self) const {
  const MutexLock lock(&mutex_);
  return self.leads;
}

bool SingleFlightServable::Follow(Caller& self) {
  const CallOptions& options = self.options;
  while (!Leads(self)) {
    const int64_t now_us = clock_.NowUs();
    absl::Status wanted = CheckWanted(options, now_us);
    if (!wanted.ok() && Leave(self)) {
      self.status = std::move(wanted);
      return false;
    }
    int64_t wait_us = kNever;
    if (wanted.ok()) {  // else it leads or has its answer in a moment
      wait_us = options.deadline_us - now_us;
      if (options.cancelled != nullptr) wait_us = std::min(wait_us, kPollUs);
    }
    if (self.wake_up.AwaitFor(wait_us)) return false;
  }
  return true;
}

bool SingleFlightServable::Leave(Caller& self) {
  const MutexLock lock(&mutex_);
  const auto flight = flights_.find(self.key);
  return flight != flights_.end() && std::erase(flight->second, &self) > 0;
}

void SingleFlightServable::PassOn(Caller& self) {
  const MutexLock lock(&mutex_);
  ++counts_.num_computed;
  const auto flight = flights_.find(self.key);
  if (flight->second.empty()) {
    flights_.erase(flight);
    return;
  }
  ++counts_.num_takeovers;
  Caller* next = flight->second.front();
  flight->second.pop_front();
  next->leads = true;
  next->wake_up.Wake();  // under the mutex: it may be awake already, and return
}

SingleFlightServable::Followers SingleFlightServable::Land(Caller& self) {
  const MutexLock lock(&mutex_);
  const auto flight = flights_.find(self.key);
  Followers followers = std::move(flight->second);
  flights_.erase(flight);
  ++counts_.num_computed;
  counts_.num_shared += followers.size();
  return followers;
}

ServableCounts SingleFlightServable::counts() const {
  ServableCounts counts = inner_->counts();
  const MutexLock lock(&mutex_);
  counts.flights = counts_;
  return counts;
}

int SingleFlightServable::num_following() const {
  const MutexLock lock(&mutex_);
  size_t count = 0;
  for (const auto& [key, followers] : flights_) count += followers.size();
  return static_cast<int>(count);
}

}  // namespace quaver
