// See kserve_generate.h.
#include "quaver/serve/kserve_generate.h"

#include <algorithm>
#include <iterator>

#include "quaver/serve/internal/json_body.h"
#include "quaver/serve/internal/request_parameters.h"
#include "quaver/serve/internal/tensor_data.h"

namespace quaver {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kTextInput = "text_input";
constexpr std::string_view kParameters = "parameters";

const TensorConfig* InputOf(const ModelConfig& model, std::string_view key) {
  const TensorConfig* input = model.FindInput(key);
  if (input == nullptr && key == kTextInput && !model.inputs.empty() &&
      model.inputs[0].datatype == Datatype::kBytes) {
    return &model.inputs[0];
  }
  return input;
}

absl::StatusOr<Tensor> ReadInput(const ModelConfig& model,
                                 const TensorConfig& input,
                                 const dom::element& value) {
  Tensor tensor;
  tensor.name = input.name;
  tensor.datatype = input.datatype;
  dom::array array;
  const bool is_array = value.get(array) == simdjson::SUCCESS;
  // size() is right up to 2^24 elements, which is more than a body holds.
  const auto num_elements = is_array ? static_cast<int64_t>(array.size()) : 1;
  ASSIGN_OR_RETURN(tensor.shape, ItemShape(model, input, num_elements));
  RETURN_IF_ERROR(ReadJsonElements(value, model.name, tensor));
  return tensor;
}

// The inputs among the members; the others go to `parameters`.
absl::Status ReadInputs(const dom::object& members, const ModelConfig& model,
                        InferRequest& request, JsonMembers& parameters) {
  for (const dom::key_value_pair member : members) {
    const TensorConfig* input = InputOf(model, member.key);
    if (input == nullptr) {
      parameters.push_back(member);
      continue;
    }
    ASSIGN_OR_RETURN(Tensor tensor, ReadInput(model, *input, member.value));
    request.inputs.push_back(std::move(tensor));
  }
  return absl::OkStatus();
}

void AppendString(std::string_view key, std::string_view value,
                  std::string& json) {
  json += json.empty() ? '{' : ',';
  AppendJsonString(key, json);
  json += ':';
  AppendJsonString(value, json);
}

absl::Status AppendOutput(const Tensor& output, std::string& json) {
  json += ',';
  AppendJsonString(output.name, json);
  json += ':';
  std::string data;
  RETURN_IF_ERROR(AppendJsonData(output, data));
  const auto& shape = output.shape;
  const bool is_one = std::all_of(shape.begin(), shape.end(),
                                  [](int64_t dim) { return dim == 1; });
  json += is_one ? data.substr(1, data.size() - 2) : data;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<InferRequest> ParseGenerateRequest(std::string_view body,
                                                  const ModelConfig& model) {
  JsonBody json;
  RETURN_IF_ERROR(json.Parse(body));
  InferRequest request;
  ASSIGN_OR_RETURN(const std::string_view id,
                   MemberOr<std::string_view>(json.root(), "id", ""));
  request.id = std::string(id);
  JsonMembers parameters;
  RETURN_IF_ERROR(ReadInputs(json.root(), model, request, parameters));
  std::erase_if(parameters, [](const dom::key_value_pair& member) {
    return member.key == "id" || member.key == kParameters;
  });
  if (model.FindInput(kParameters) == nullptr) {
    ASSIGN_OR_RETURN(const JsonObject inner,
                     OptionalMember<dom::object>(json.root(), kParameters));
    if (inner) {
      RETURN_IF_ERROR(ReadInputs(*inner, model, request, parameters));
    }
  }
  RETURN_IF_ERROR(ReadParameters(parameters, request));
  RETURN_IF_ERROR(FitToModel(model, request));
  return request;
}

absl::StatusOr<std::string> WriteGenerateResponse(const ModelConfig& model,
                                                  const InferRequest& request,
                                                  const Tensors& outputs) {
  std::string json;
  if (!request.id.empty()) AppendString("id", request.id, json);
  AppendString("model_name", model.name, json);
  AppendString("model_version", fmt::to_string(model.version), json);
  const auto text =
      std::find_if(outputs.begin(), outputs.end(), [](const Tensor& output) {
        return output.datatype == Datatype::kBytes && !output.strings.empty();
      });
  if (text != outputs.end() && IsUtf8(text->strings[0])) {
    AppendString("text_output", text->strings[0], json);
  }
  for (const Tensor& output : outputs) {
    RETURN_IF_ERROR(AppendOutput(output, json));
  }
  json += '}';
  return json;
}

}  // namespace quaver
