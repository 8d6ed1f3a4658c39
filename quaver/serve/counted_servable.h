// A model as others of this program ask it: an ensemble, the search bar.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "quaver/sched/servable.h"
#include "quaver/serve/infer_call.h"
#include "quaver/serve/kserve_models.h"

namespace quaver {

// Counted in the model's statistics as if a client had asked. Thread-safe.
class CountedServable : public Servable {
 public:
  explicit CountedServable(std::shared_ptr<KserveModel> model)
      : model_(std::move(model)) {}
  std::vector<TensorSpec> inputs() const override {
    return model_->servable->inputs();
  }
  std::vector<TensorSpec> outputs() const override {
    return model_->servable->outputs();
  }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override {
    return InferCounted(*model_, request, options, times);
  }

 private:
  const std::shared_ptr<KserveModel> model_;
};

}  // namespace quaver
