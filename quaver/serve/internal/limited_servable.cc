// See limited_servable.h.
#include "quaver/serve/internal/limited_servable.h"

#include <optional>

#include "quaver/base/workers.h"

namespace quaver {

struct LimitedServable::Call : BatchItem {
  const Tensors* request = nullptr;
  Tensors answer;
};

absl::StatusOr<std::unique_ptr<LimitedServable>> LimitedServable::Create(
    std::shared_ptr<Servable> inner, BatcherConfig config,
    std::vector<int> cores) {
  config.max_batch_size = 1;
  config.max_batch_tokens = 0;
  config.batching.preferred_batch_sizes.clear();
  config.batching.max_queue_delay_us = 0;
  config.batching.adaptive = false;
  std::unique_ptr<LimitedServable> limited(
      new LimitedServable(std::move(inner), std::move(cores)));
  ASSIGN_OR_RETURN(
      limited->batcher_,
      Batcher::Create(config,
                      [own = limited.get()](int instance,
                                            std::span<BatchItem* const> batch) {
                        own->Compute(instance, batch);
                      }));
  return limited;
}

absl::StatusOr<Tensors> LimitedServable::Infer(const Tensors& request,
                                               const CallOptions& options,
                                               CallTimes* times) {
  Call call;
  call.tokens = 1;
  call.request = &request;
  call.options = options;
  RETURN_IF_ERROR(batcher_->Run(call));
  if (times != nullptr) {
    times->queue_us += call.times.queue_us;
    times->compute_us += call.times.compute_us;
  }
  return std::move(call.answer);
}

void LimitedServable::Compute(int instance, std::span<BatchItem* const> batch) {
  std::optional<ScopedPin> pin;
  if (!cores_.empty()) {
    pin.emplace(cores_[static_cast<size_t>(instance) % cores_.size()]);
  }
  Call& call = *static_cast<Call*>(batch[0]);
  auto answer = inner_->Infer(*call.request, call.options, nullptr);
  call.status = answer.status();
  if (answer.ok()) call.answer = *std::move(answer);
}

ServableCounts LimitedServable::counts() const {
  ServableCounts counts = inner_->counts();
  counts.num_waiting += batcher_->statistics().num_queued;
  return counts;
}

absl::Status LimitedServable::Resize(int num_instances) {
  if (num_instances < 0) {
    return absl::InvalidArgumentError("the number of instances is negative");
  }
  batcher_->Resize(num_instances);
  return absl::OkStatus();
}

}  // namespace quaver
