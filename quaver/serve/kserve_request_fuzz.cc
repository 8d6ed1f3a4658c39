// Fuzzes what reads the body of an inference request.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "quaver/base/check.h"
#include "quaver/serve/internal/json_body.h"
#include "quaver/serve/internal/tensor_data.h"
#include "quaver/serve/kserve_datatype.h"
#include "quaver/serve/kserve_generate.h"
#include "quaver/serve/kserve_request.h"
#include "quaver/serve/kserve_response.h"

namespace quaver {
namespace {

void CheckTensor(const Tensor& tensor) {
  const auto num_elements = CountElements(tensor);
  QUAVER_CHECK(num_elements.ok());
  const auto count = static_cast<size_t>(*num_elements);
  if (tensor.datatype == Datatype::kBytes) {
    QUAVER_CHECK(tensor.strings.size() == count && tensor.raw.empty());
  } else {
    QUAVER_CHECK(tensor.raw.size() == count * DatatypeSize(tensor.datatype));
    QUAVER_CHECK(tensor.strings.empty());
  }
}

ModelConfig Model() {
  ModelConfig model;
  model.name = "m";
  model.max_batch_size = 4;
  model.inputs = {{.name = "X", .datatype = Datatype::kInt32, .dims = {-1}},
                  {.name = "Y",
                   .datatype = Datatype::kBytes,
                   .dims = {1},
                   .is_scalar = true,
                   .optional = true}};
  return model;
}

// A tensor that was read can be written, and what was written is JSON.
void CheckAnswer(ModelConfig model, InferRequest request) {
  request.binary_output = true;
  request.outputs.clear();
  for (const Tensor& tensor : request.inputs) {
    model.outputs.push_back({.name = tensor.name});
  }
  const auto body = WriteInferResponse(model, request, request.inputs);
  QUAVER_CHECK(body.ok());
  JsonBody json;
  QUAVER_CHECK(json.Parse(body->bytes.substr(0, body->json_bytes)).ok());
}

}  // namespace
}  // namespace quaver

// A line's end, if any, stands between JSON and binary tensors.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const size_t json_bytes = std::min(body.find('\n'), size);
  (void)quaver::ParseHeaderLength(body.substr(0, json_bytes), size);
  const quaver::ModelConfig model = quaver::Model();
  for (auto request :
       {quaver::ParseInferRequest(body, json_bytes, "m"),
        quaver::ParseRawRequest(body, model),
        quaver::ParseGenerateRequest(body.substr(0, json_bytes), model)}) {
    if (!request.ok()) continue;
    for (const auto& tensor : request->inputs) quaver::CheckTensor(tensor);
    quaver::CheckAnswer(model, *request);
    if (!quaver::FitToModel(model, *request).ok()) continue;
    QUAVER_CHECK(request->batch_size >= 1 && request->batch_size <= 4);
  }
  return 0;
}
