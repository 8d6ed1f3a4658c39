// The body of an inference answer.
#pragma once

#include <cstddef>
#include <string>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/kserve_model.h"
#include "quaver/serve/kserve_request.h"

namespace quaver {

struct InferBody {
  std::string bytes;      // JSON, then the binary tensors
  size_t json_bytes = 0;  // all of them when no output is binary
  bool has_binary = false;
};

// The outputs that were asked for, in the servable's order, each as JSON or in
// binary. InvalidArgument when one has no form in JSON.
absl::StatusOr<InferBody> WriteInferResponse(const ModelConfig& model,
                                             const InferRequest& request,
                                             const Tensors& outputs);

}  // namespace quaver
