// A servable without instances of its own, as if it had some.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "quaver/sched/batcher.h"
#include "quaver/sched/servable.h"

namespace quaver {

// Thread-safe. A call is a batch of its own by the law of sched/batcher.h: the
// queue's sizes, timeouts and priorities hold, sizes and delays of batches have
// no meaning.
class LimitedServable : public Servable {
 public:
  // Instance i computes on cores[i modulo their number]; empty: anywhere.
  // Errors as CheckBatcherConfig's.
  static absl::StatusOr<std::unique_ptr<LimitedServable>> Create(
      std::shared_ptr<Servable> inner, BatcherConfig config,
      std::vector<int> cores);

  std::vector<TensorSpec> inputs() const override { return inner_->inputs(); }
  std::vector<TensorSpec> outputs() const override { return inner_->outputs(); }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override;
  ServableCounts counts() const override;
  // As Batcher's; of the servable behind it there is one.
  absl::Status Resize(int num_instances) override;

 private:
  struct Call;
  LimitedServable(std::shared_ptr<Servable> inner, std::vector<int> cores)
      : inner_(std::move(inner)), cores_(std::move(cores)) {}
  void Compute(int instance, std::span<BatchItem* const> batch);

  const std::shared_ptr<Servable> inner_;
  const std::vector<int> cores_;
  std::unique_ptr<Batcher> batcher_;
};

}  // namespace quaver
