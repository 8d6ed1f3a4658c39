// Identical requests that are in flight at the same time are computed once.
//
//   SingleFlightServable model(inner);  // below a cache: what it stores later
//
// Law
//
// The first caller of a request leads: it asks the servable behind, in its own
// thread. Callers of the same request (request_key.h) with the same priority
// and depth that come until its answer is there follow: they wait and get a
// copy of it, or its error. Who comes later begins anew.
//
// A follower leaves at its deadline (DeadlineExceeded) or, at most kPollUs
// after, when it is cancelled (Cancelled); the others do not notice. When the
// leader's call ends as Cancelled or DeadlineExceeded, that is the leader's own
// answer: the follower that came first asks again, with its own deadline.
//
// A follower's wait counts as time in the queue; its times say from_cache. Its
// timeout in the queue is the leader's.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/clock.h"
#include "quaver/base/mutex.h"
#include "quaver/sched/servable.h"

namespace quaver {

// Thread-safe. REQUIRES: every Infer returned before the destruction.
class SingleFlightServable : public Servable {
 public:
  static constexpr int64_t kPollUs = 5'000;

  explicit SingleFlightServable(std::shared_ptr<Servable> inner,
                                const Clock& clock = Clock::Real());
  ~SingleFlightServable() override;

  std::vector<TensorSpec> inputs() const override { return inner_->inputs(); }
  std::vector<TensorSpec> outputs() const override { return inner_->outputs(); }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override
      ABSL_LOCKS_EXCLUDED(mutex_);

  ServableCounts counts() const override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Resize(int num_instances) override {
    return inner_->Resize(num_instances);
  }
  int num_following() const ABSL_LOCKS_EXCLUDED(mutex_);  // now

 private:
  struct Caller;
  // The callers that follow, first come first. It is there while one leads.
  using Followers = std::deque<Caller*>;
  using Flights = std::map<std::string, Followers>;

  // Makes the caller the leader of a new flight or a follower of one.
  void Enter(Caller& self) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Leads(const Caller& self) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Until it leads (true) or its answer is there.
  bool Follow(Caller& self) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether it was still a follower.
  bool Leave(Caller& self) ABSL_LOCKS_EXCLUDED(mutex_);
  void PassOn(Caller& self) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the flight; returns who followed.
  Followers Land(Caller& self) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::shared_ptr<Servable> inner_;
  const Clock& clock_;
  mutable Mutex mutex_;
  Flights flights_ ABSL_GUARDED_BY(mutex_);
  FlightStatistics counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quaver
