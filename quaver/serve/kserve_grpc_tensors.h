// The messages of an inference over gRPC: to tensors, and back.
//
//   ASSIGN_OR_RETURN(InferRequest request, ReadGrpcRequest(message, model));
//   ASSIGN_OR_RETURN(Tensors outputs, servable.Infer(request.inputs));
//   WriteGrpcAnswer(model, request, outputs, answer);
#pragma once

#include "quaver/base/status.h"
#include "quaver/net/proto/grpc_service.pb.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/kserve_model.h"
#include "quaver/serve/kserve_request.h"

namespace quaver {

// Elements come from `raw_input_contents`, one for each input, or from each
// input's `contents`, in the member of its datatype; not from both. Integers
// out of a datatype's range are refused. InvalidArgument names the tensor or
// the parameter; Unimplemented for classification and shared memory. The inputs
// have the servable's shapes. The message's strings are taken.
absl::StatusOr<InferRequest> ReadGrpcRequest(
    inference::ModelInferRequest& message, const ModelConfig& model);

// The outputs that were asked for, in the servable's order, as
// raw_output_contents. REQUIRES: `answer` is empty.
void WriteGrpcAnswer(const ModelConfig& model, const InferRequest& request,
                     const Tensors& outputs,
                     inference::ModelInferResponse& answer);

}  // namespace quaver
