// The body of an inference answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

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

// A servable's output as the wire knows it.
// REQUIRES: the model has such an output.
std::vector<int64_t> AnswerShape(const ModelConfig& model,
                                 const Tensor& output);

// The outputs that were asked for, in the servable's order, each as JSON or in
// binary. InvalidArgument when one has no form in JSON.
absl::StatusOr<InferBody> WriteInferResponse(const ModelConfig& model,
                                             const InferRequest& request,
                                             const Tensors& outputs);

}  // namespace quaver
