// What a model folder says about itself.
#pragma once

#include <string>

#include "quaver/artifact/model_files.h"
#include "quaver/base/status.h"
#include "quaver/engine/bert.h"

namespace quaver {

struct BertFolder {
  BertConfig config;
  // Of config.json and the weights inside the model's folder, with a slash at
  // its end, or empty.
  std::string transformer;
};

// Errors as BertModel::Load's.
absl::StatusOr<BertFolder> ReadBertFolder(const ModelFiles& files);

}  // namespace quaver
