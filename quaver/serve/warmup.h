// The requests that a model answers before it counts as ready.
#pragma once

#include <string>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/kserve_model.h"

namespace quaver {

// Makes the model's warm-up requests, in the calling thread, `count` times by
// Servable::WarmUp. Files lie in
// <model_folder>/warmup. Random data is the same each time: bytes that are any
// number, and words of eight letters. The error names the request: what its
// file has too much or too little, an input that the model has not, or what the
// model answered.
absl::Status WarmUp(const ModelConfig& model, const std::string& model_folder,
                    Servable& servable);

}  // namespace quaver
