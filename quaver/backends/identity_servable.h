// Gives back what it is given: for tests of protocols and of the server's cost.
#pragma once

#include <cstdint>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

struct IdentityConfig {
  Datatype datatype = Datatype::kBytes;
  std::vector<int64_t> shape = {-1};  // -1: variable
  int64_t delay_us = 0;               // that each call takes
};

// INPUT0 -> OUTPUT0. Thread-safe; calls run side by side.
class IdentityServable : public Servable {
 public:
  explicit IdentityServable(const IdentityConfig& config) : config_(config) {}

  std::vector<TensorSpec> inputs() const override;
  std::vector<TensorSpec> outputs() const override;
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override;

 private:
  const IdentityConfig config_;
};

}  // namespace quaver
