// See identity_servable.h.
#include "quaver/backends/identity_servable.h"

#include <chrono>
#include <thread>
#include <utility>

#include "quaver/base/clock.h"

namespace quaver {

std::vector<TensorSpec> IdentityServable::inputs() const {
  return {{"INPUT0", config_.datatype, config_.shape}};
}

std::vector<TensorSpec> IdentityServable::outputs() const {
  return {{"OUTPUT0", config_.datatype, config_.shape}};
}

absl::StatusOr<Tensors> IdentityServable::Infer(const Tensors& request,
                                                const CallOptions& options,
                                                CallTimes* /*times*/) {
  RETURN_IF_ERROR(CheckWanted(options, Clock::Real().NowUs()));
  if (request.size() != 1 || request[0].name != "INPUT0" ||
      request[0].datatype != config_.datatype) {
    return absl::InvalidArgumentError(
        "expected one input named INPUT0 of the model's datatype");
  }
  std::this_thread::sleep_for(std::chrono::microseconds(config_.delay_us));
  Tensor output = request[0];
  output.name = "OUTPUT0";
  Tensors outputs;
  outputs.push_back(std::move(output));
  return outputs;
}

}  // namespace quaver
