// What a model folder says about itself.
#pragma once

#include <string>

#include "quaver/base/status.h"
#include "quaver/engine/bert.h"

namespace quaver {

struct BertFolder {
  BertConfig config;
  std::string transformer;  // the folder of config.json and the weights
};

// Errors as BertModel::Load's.
absl::StatusOr<BertFolder> ReadBertFolder(const std::string& folder);

}  // namespace quaver
