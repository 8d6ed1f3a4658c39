// Triton's generate: a JSON object of inputs by name, one of outputs back.
#pragma once

#include <string>
#include <string_view>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/kserve_model.h"
#include "quaver/serve/kserve_request.h"

namespace quaver {

// A member that is named as an input is its data: a value, or a flat array.
// "text_input" stands for the first input, when that takes BYTES and none is
// called so. Other members, but for "id", are parameters of the request, as in
// ParseInferRequest: "timeout", "priority" and the client's own. What is in
// "parameters", an object, counts as if it stood beside it. InvalidArgument as
// in ParseInferRequest and FitToModel.
absl::StatusOr<InferRequest> ParseGenerateRequest(std::string_view body,
                                                  const ModelConfig& model);

// {"id"?, "model_name", "model_version", "text_output"?, output: data...}. A
// tensor of one element is written as a value; "text_output" is the first
// string of the first output of BYTES. InvalidArgument when an output has no
// form in JSON.
absl::StatusOr<std::string> WriteGenerateResponse(const ModelConfig& model,
                                                  const InferRequest& request,
                                                  const Tensors& outputs);

}  // namespace quaver
