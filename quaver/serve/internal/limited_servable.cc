// See limited_servable.h.
#include "quaver/serve/internal/limited_servable.h"

namespace quaver {

absl::StatusOr<Tensors> LimitedServable::Infer(const Tensors& request,
                                               const CallOptions& options,
                                               CallTimes* times) {
  const Clock& clock = Clock::Real();
  Stopwatch stopwatch(clock);
  ASSIGN_OR_RETURN(const InstancePool::Lease lease,
                   pool_.Acquire(options.deadline_us));
  if (times != nullptr) times->queue_us += stopwatch.LapUs();
  RETURN_IF_ERROR(CheckWanted(options, clock.NowUs()));
  return inner_->Infer(request, options, times);
}

absl::Status LimitedServable::Resize(int num_instances) {
  if (num_instances < 0) {
    return absl::InvalidArgumentError("the number of instances is negative");
  }
  pool_.Resize(num_instances);
  return absl::OkStatus();
}

}  // namespace quaver
