// Fuzzes what reads the message of an inference over gRPC.
#include <cstddef>
#include <cstdint>

#include <grpcpp/support/slice.h>

#include "quaver/base/check.h"
#include "quaver/serve/internal/grpc_message.h"
#include "quaver/serve/internal/tensor_data.h"
#include "quaver/serve/kserve_datatype.h"
#include "quaver/serve/kserve_grpc_tensors.h"

namespace quaver {
namespace {

// A model that takes any datatype in one of its inputs.
ModelConfig Model() {
  ModelConfig model;
  model.name = "m";
  model.max_batch_size = 4;
  for (int i = 0; i <= static_cast<int>(Datatype::kBytes); ++i) {
    const auto datatype = static_cast<Datatype>(i);
    model.inputs.push_back({.name = std::string(DatatypeName(datatype)),
                            .datatype = datatype,
                            .dims = {-1},
                            .optional = true});
  }
  model.inputs.push_back({.name = "X", .dims = {1}, .is_scalar = true});
  model.inputs.back().optional = true;
  model.outputs = model.inputs;
  return model;
}

void CheckTensor(const Tensor& tensor) {
  const auto num_elements = CountElements(tensor);
  QUAVER_CHECK(num_elements.ok());
  const auto count = static_cast<size_t>(*num_elements);
  const bool is_bytes = tensor.datatype == Datatype::kBytes;
  QUAVER_CHECK(tensor.strings.size() == (is_bytes ? count : 0));
  QUAVER_CHECK(tensor.raw.size() ==
               (is_bytes ? 0 : count * DatatypeSize(tensor.datatype)));
}

}  // namespace
}  // namespace quaver

// What is read fits the model, can be written, and is read again as it was.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const quaver::ModelConfig model = quaver::Model();
  const grpc::Slice slice(data, size);
  inference::ModelInferRequest message;
  if (!quaver::ParseMessage({&slice, 1}, message).ok()) return 0;
  auto request = quaver::ReadGrpcRequest(message, model);
  if (!request.ok()) return 0;
  QUAVER_CHECK(request->batch_size >= 1 && request->batch_size <= 4);
  for (const auto& tensor : request->inputs) quaver::CheckTensor(tensor);
  request->outputs.clear();
  inference::ModelInferResponse answer;
  quaver::WriteGrpcAnswer(model, *request, request->inputs, answer);
  inference::ModelInferRequest again;
  for (const auto& output : answer.outputs()) {
    auto& input = *again.add_inputs();
    input.set_name(output.name());
    input.set_datatype(output.datatype());
    *input.mutable_shape() = output.shape();
  }
  again.mutable_raw_input_contents()->Swap(
      answer.mutable_raw_output_contents());
  const auto same = quaver::ReadGrpcRequest(again, model);
  QUAVER_CHECK(same.ok() && same->inputs.size() == request->inputs.size());
  for (size_t i = 0; i < same->inputs.size(); ++i) {
    QUAVER_CHECK(same->inputs[i].strings == request->inputs[i].strings);
    QUAVER_CHECK(same->inputs[i].raw == request->inputs[i].raw);
  }
  return 0;
}
