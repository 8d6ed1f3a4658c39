// A model's weights in Hugging Face's files, and a run's state in one of ours.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "quaver/base/status.h"
#include "quaver/train/torch/parameters.h"

namespace quaver {

// Fills the weights from `folder`/model.safetensors (or its parts), whatever
// floating-point type they are stored in. InvalidArgument naming the tensor
// that is missing or of another shape.
absl::Status LoadWeights(const std::string& folder, Parameters& parameters);

// Writes `weights`, a flat tensor of the parameters' layout, as
// `folder`/model.safetensors in float or bfloat16, in place of what is there.
absl::Status SaveWeights(const std::string& folder,
                         const Parameters& parameters,
                         const at::Tensor& weights, at::ScalarType type);

// What a run goes on from.
struct RunState {
  std::map<std::string, at::Tensor> tensors;  // float, flat
  std::map<std::string, std::string> texts;   // numbers, settings
};
absl::Status SaveState(const std::string& path, const RunState& state);
// NotFound without a file, DataLoss for a damaged one.
absl::StatusOr<RunState> LoadState(const std::string& path);

}  // namespace quaver
