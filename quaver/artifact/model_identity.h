// Which model something was made with: vectors of different models do not
// compare.
#pragma once

#include <string>

#include "quaver/base/status.h"

namespace quaver {

struct ModelIdentity {
  std::string name;  // the folder's name, for people
  std::string hash;  // 16 hex digits
};

// Hashes config.json, the weights and the tokenizer of a model folder. Costs
// one read of them. NotFound when there are none. A plan is what its folder
// was: vectors of other precisions do compare. Errors as Artifact::Open's.
absl::StatusOr<ModelIdentity> IdentifyModel(const std::string& path);

// Keys of a plan's metadata.
inline constexpr char kPlanModel[] = "model";  // ModelIdentity's
inline constexpr char kPlanModelHash[] = "model_hash";

}  // namespace quaver
