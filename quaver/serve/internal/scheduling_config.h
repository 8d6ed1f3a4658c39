// What of a model configuration says when it is computed, and the words for
// what is wrong with it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/serve/kserve_model.h"

namespace quaver {

// InvalidArgument and Unimplemented that name the model.
absl::Status Invalid(const std::string& model, std::string_view what);
absl::Status Unsupported(const std::string& model, std::string_view what);

// The greatest int for what is above it.
int ClampedInt(uint64_t value);

// What of it asks for more than a queue of some length, by the names that
// config.pbtxt has for them: nothing that a backend without a batcher follows.
std::vector<std::string> FieldsOfABatcher(const DynamicBatching& batching);

// Instance groups, dynamic batching, ensemble; what is not followed is refused.
// REQUIRES: config.name is set.
absl::Status ReadScheduling(const inference::ModelConfig& source,
                            ModelConfig& config);

}  // namespace quaver
