// The body of an inference request: bytes to tensors, checked.
//
//   ASSIGN_OR_RETURN(size_t json_bytes, ParseHeaderLength(header,
//   body.size())); ASSIGN_OR_RETURN(auto request, ParseInferRequest(body,
//   json_bytes, "m")); RETURN_IF_ERROR(FitToModel(model, request));
//   servable.Infer(request.inputs);
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/kserve_model.h"

namespace quaver {

struct RequestedOutput {
  std::string name;
  std::optional<bool> binary;  // nothing: as the request says
};

struct InferRequest {
  std::string id;
  int64_t timeout_us = 0;  // 0: none
  int priority = 0;        // 1 goes first; 0: the model's default
  bool binary_output = false;
  // Those of a client's own, for models that ask: a JSON object, or "".
  std::string parameters;
  Tensors inputs;
  std::vector<RequestedOutput> outputs;  // empty: all
  int64_t batch_size = 1;                // set by FitToModel
};

// Of the request's parameters that the server itself reads.
bool IsProtocolParameter(std::string_view key);

// The value of Inference-Header-Content-Length, how many bytes of the body are
// JSON. InvalidArgument unless it is a number from 0 to body_bytes.
absl::StatusOr<size_t> ParseHeaderLength(std::string_view value,
                                         size_t body_bytes);

// JSON of `json_bytes`, then the binary tensors in the order of the inputs.
// InvalidArgument names the member and the tensor; Unimplemented for what this
// server does not do (classification, shared memory). `model` is for messages.
// REQUIRES: json_bytes <= body.size().
absl::StatusOr<InferRequest> ParseInferRequest(std::string_view body,
                                               size_t json_bytes,
                                               const std::string& model);

// A raw binary request: the body is the data of the model's first input, of a
// batch of one, and all outputs are wanted in binary. InvalidArgument when the
// model has another input that is not optional.
absl::StatusOr<InferRequest> ParseRawRequest(std::string_view body,
                                             const ModelConfig& model);

// Checks names, datatypes and shapes, sets batch_size, and brings the inputs
// into the servable's shapes. InvalidArgument says what the model expects.
absl::Status FitToModel(const ModelConfig& model, InferRequest& request);

}  // namespace quaver
