// See kserve_response.h.
#include "quaver/serve/kserve_response.h"

#include <algorithm>
#include <iterator>

#include "quaver/base/check.h"
#include "quaver/serve/internal/tensor_data.h"
#include "quaver/serve/kserve_datatype.h"

namespace quaver {
namespace {

enum class Form { kNone, kJson, kBinary };

Form FormOf(const InferRequest& request, const std::string& output) {
  const Form standard = request.binary_output ? Form::kBinary : Form::kJson;
  if (request.outputs.empty()) return standard;
  const auto found = std::find_if(
      request.outputs.begin(), request.outputs.end(),
      [&](const RequestedOutput& one) { return one.name == output; });
  if (found == request.outputs.end()) return Form::kNone;
  const bool is_binary = found->binary.value_or(request.binary_output);
  return is_binary ? Form::kBinary : Form::kJson;
}

}  // namespace

std::vector<int64_t> AnswerShape(const ModelConfig& model,
                                 const Tensor& output) {
  std::vector<int64_t> shape = output.shape;
  const TensorConfig* config = model.FindOutput(output.name);
  QUAVER_CHECK(config != nullptr);
  if (config->is_scalar) shape.push_back(1);
  return shape;
}

absl::StatusOr<InferBody> WriteInferResponse(const ModelConfig& model,
                                             const InferRequest& request,
                                             const Tensors& outputs) {
  InferBody body;
  std::string& json = body.bytes;
  json = '{';
  if (!request.id.empty()) {
    json += "\"id\":";
    AppendJsonString(request.id, json);
    json += ',';
  }
  json += "\"model_name\":";
  AppendJsonString(model.name, json);
  fmt::format_to(std::back_inserter(json),
                 ",\"model_version\":\"{}\",\"outputs\":[", model.version);
  std::string binary;
  bool is_first = true;
  for (const Tensor& output : outputs) {
    const Form form = FormOf(request, output.name);
    if (form == Form::kNone) continue;
    json += is_first ? "{\"name\":" : ",{\"name\":";
    is_first = false;
    AppendJsonString(output.name, json);
    fmt::format_to(
        std::back_inserter(json), ",\"datatype\":\"{}\",\"shape\":{}",
        DatatypeName(output.datatype), ShapeText(AnswerShape(model, output)));
    if (form == Form::kBinary) {
      fmt::format_to(std::back_inserter(json),
                     ",\"parameters\":{{\"binary_data_size\":{}}}",
                     BinaryBytes(output));
      AppendBinaryData(output, binary);
      body.has_binary = true;
    } else {
      json += ",\"data\":";
      RETURN_IF_ERROR(AppendJsonData(output, json));
    }
    json += '}';
  }
  json += "]}";
  body.json_bytes = json.size();
  json += binary;
  return body;
}

}  // namespace quaver
