// A servable that only so many calls work in at once.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "quaver/base/clock.h"
#include "quaver/sched/instances.h"
#include "quaver/sched/servable.h"

namespace quaver {

// Thread-safe. Calls take turns by the law of sched/instances.h.
class LimitedServable : public Servable {
 public:
  LimitedServable(std::shared_ptr<Servable> inner,
                  const InstancePoolConfig& config)
      : inner_(std::move(inner)), pool_(config) {}

  std::vector<TensorSpec> inputs() const override { return inner_->inputs(); }
  std::vector<TensorSpec> outputs() const override { return inner_->outputs(); }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override;
  ServableCounts counts() const override { return inner_->counts(); }
  // As InstancePool's; of the servable behind it there is one.
  absl::Status Resize(int num_instances) override;

 private:
  const std::shared_ptr<Servable> inner_;
  InstancePool pool_;
};

}  // namespace quaver
