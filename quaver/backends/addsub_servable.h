// Sums and differences of integers: for tests of models with several tensors.
#pragma once

#include <cstdint>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

struct AddSubConfig {
  int64_t delay_us = 0;  // that each call takes
};

// INPUT0, INPUT1 INT32[B, 16] -> OUTPUT0 their sum, OUTPUT1 their difference,
// modulo 2^32. Thread-safe; calls run side by side.
class AddSubServable : public Servable {
 public:
  static constexpr int64_t kWidth = 16;

  explicit AddSubServable(const AddSubConfig& config) : config_(config) {}

  std::vector<TensorSpec> inputs() const override;
  std::vector<TensorSpec> outputs() const override;
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override;

 private:
  const AddSubConfig config_;
};

}  // namespace quaver
