// Which encoder made an index: vectors of different models do not compare.
#pragma once

#include <string>

#include "quaver/base/status.h"

namespace quaver {

struct ModelIdentity {
  std::string name;  // the folder's name, for people
  std::string hash;  // 16 hex digits
};

// Hashes config.json, the weights and the tokenizer of a model folder. Costs
// one read of them. NotFound when there are none.
absl::StatusOr<ModelIdentity> IdentifyModel(const std::string& folder);

}  // namespace quaver
