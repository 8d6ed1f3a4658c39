// See kserve_request.h.
#include "quaver/serve/kserve_request.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/serve/internal/json_body.h"
#include "quaver/serve/internal/request_parameters.h"
#include "quaver/serve/internal/tensor_data.h"
#include "quaver/serve/kserve_datatype.h"

namespace quaver {
namespace {

namespace dom = simdjson::dom;

constexpr char kHeader[] = "Inference-Header-Content-Length";

// Of an input, an output or the request.
absl::StatusOr<JsonObject> Parameters(const dom::object& object) {
  return OptionalMember<dom::object>(object, "parameters");
}

absl::Status RefuseSharedMemory(const JsonObject& parameters,
                                std::string_view tensor) {
  if (!Member<dom::element>(parameters, "shared_memory_region").ok()) {
    return absl::OkStatus();
  }
  return absl::UnimplementedError(fmt::format(
      "shared memory is not supported, which '{}' asks for", tensor));
}

absl::StatusOr<std::vector<int64_t>> ReadShape(const dom::object& input) {
  ASSIGN_OR_RETURN(const dom::array dims,
                   NeededMember<dom::array>(input, "shape"));
  std::vector<int64_t> shape;
  for (const dom::element dim : dims) {
    int64_t size = 0;
    if (dim.get(size) != simdjson::SUCCESS) {
      return absl::InvalidArgumentError(
          "Unable to parse 'shape': its dimensions have to be integers of 63 "
          "bits");
    }
    shape.push_back(size);
  }
  return shape;
}

absl::StatusOr<Tensor> ReadHead(const dom::object& input) {
  Tensor tensor;
  ASSIGN_OR_RETURN(const std::string_view name,
                   NeededMember<std::string_view>(input, "name"));
  ASSIGN_OR_RETURN(const std::string_view datatype,
                   NeededMember<std::string_view>(input, "datatype"));
  const auto known = DatatypeOf(datatype);
  if (!known) {
    return absl::InvalidArgumentError(
        fmt::format("invalid datatype \"{}\" for input {}", datatype, name));
  }
  tensor.name = std::string(name);
  tensor.datatype = *known;
  ASSIGN_OR_RETURN(tensor.shape, ReadShape(input));
  return tensor;
}

// Takes the tensor's part from the front of `binary`.
absl::Status ReadBinary(uint64_t num_bytes, const std::string& model,
                        std::string_view& binary, Tensor& tensor) {
  if (num_bytes > binary.size()) {
    return absl::InvalidArgumentError(fmt::format(
        "unexpected size for input '{}', expecting {} additional bytes for "
        "model '{}'; the header {} has to say where the JSON ends",
        tensor.name, num_bytes - binary.size(), model, kHeader));
  }
  RETURN_IF_ERROR(ReadBinaryData(binary.substr(0, num_bytes), model, tensor));
  binary.remove_prefix(num_bytes);
  return absl::OkStatus();
}

absl::StatusOr<Tensor> ReadInput(const dom::element& element,
                                 const std::string& model,
                                 std::string_view& binary) {
  dom::object input;
  if (element.get(input) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(
        "Unable to parse 'inputs': each has to be an object");
  }
  ASSIGN_OR_RETURN(Tensor tensor, ReadHead(input));
  ASSIGN_OR_RETURN(const JsonObject parameters, Parameters(input));
  RETURN_IF_ERROR(RefuseSharedMemory(parameters, tensor.name));
  ASSIGN_OR_RETURN(const auto num_bytes,
                   OptionalMember<uint64_t>(parameters, "binary_data_size"));
  ASSIGN_OR_RETURN(const auto data,
                   OptionalMember<dom::element>(input, "data"));
  if (num_bytes.has_value() == data.has_value()) {
    return absl::InvalidArgumentError(
        fmt::format("input '{}' must have either 'data' or the parameter "
                    "'binary_data_size'{}",
                    tensor.name, data ? ", not both" : ""));
  }
  if (data) {
    RETURN_IF_ERROR(ReadJsonData(*data, model, tensor));
  } else {
    RETURN_IF_ERROR(ReadBinary(*num_bytes, model, binary, tensor));
  }
  return tensor;
}

absl::StatusOr<RequestedOutput> ReadOutput(const dom::element& element) {
  dom::object output;
  if (element.get(output) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(
        "Unable to parse 'outputs': each has to be an object");
  }
  ASSIGN_OR_RETURN(const std::string_view name,
                   NeededMember<std::string_view>(output, "name"));
  ASSIGN_OR_RETURN(const JsonObject parameters, Parameters(output));
  RETURN_IF_ERROR(RefuseSharedMemory(parameters, name));
  ASSIGN_OR_RETURN(const uint64_t num_classes,
                   MemberOr<uint64_t>(parameters, "classification", 0));
  if (num_classes > 0) {
    return absl::UnimplementedError(fmt::format(
        "classification is not supported, which output '{}' asks for", name));
  }
  ASSIGN_OR_RETURN(const auto binary,
                   OptionalMember<bool>(parameters, "binary_data"));
  return RequestedOutput{std::string(name), binary};
}

absl::Status ReadTensors(const dom::object& root, std::string_view binary,
                         const std::string& model, InferRequest& request) {
  ASSIGN_OR_RETURN(const dom::array inputs,
                   NeededMember<dom::array>(root, "inputs"));
  for (const dom::element input : inputs) {
    ASSIGN_OR_RETURN(Tensor tensor, ReadInput(input, model, binary));
    request.inputs.push_back(std::move(tensor));
  }
  if (!binary.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("unexpected additional input data for model '{}': {} bytes "
                    "belong to no input",
                    model, binary.size()));
  }
  ASSIGN_OR_RETURN(const auto outputs,
                   OptionalMember<dom::array>(root, "outputs"));
  if (!outputs) return absl::OkStatus();
  for (const dom::element output : *outputs) {
    ASSIGN_OR_RETURN(RequestedOutput requested, ReadOutput(output));
    request.outputs.push_back(std::move(requested));
  }
  return absl::OkStatus();
}

// "['A','B']".
std::string NameList(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    list += fmt::format("{}'{}'", list.empty() ? "" : ",", name);
  }
  return "[" + list + "]";
}

std::string InputCount(size_t num_required, size_t num_inputs) {
  if (num_required == num_inputs) return fmt::format("{} inputs", num_inputs);
  return fmt::format("number of inputs between {} and {}", num_required,
                     num_inputs);
}

absl::Status CheckNames(const ModelConfig& model, const InferRequest& request) {
  std::vector<std::string> given;
  std::set<std::string> seen;
  for (const Tensor& tensor : request.inputs) {
    if (model.FindInput(tensor.name) == nullptr) {
      return absl::InvalidArgumentError(
          fmt::format("unexpected inference input '{}' for model '{}'",
                      tensor.name, model.name));
    }
    if (!seen.insert(tensor.name).second) {
      return absl::InvalidArgumentError(
          fmt::format("input '{}' already exists in request", tensor.name));
    }
    given.push_back(tensor.name);
  }
  std::vector<std::string> missing;
  size_t num_required = 0;
  for (const TensorConfig& input : model.inputs) {
    if (input.optional) continue;
    ++num_required;
    if (!seen.contains(input.name)) missing.push_back(input.name);
  }
  if (!missing.empty()) {
    return absl::InvalidArgumentError(fmt::format(
        "expected {} but got {} inputs for model '{}'. Got input(s) {}, but "
        "missing required input(s) {}. Please provide all required input(s).",
        InputCount(num_required, model.inputs.size()), given.size(), model.name,
        NameList(given), NameList(missing)));
  }
  seen.clear();
  for (const RequestedOutput& output : request.outputs) {
    if (model.FindOutput(output.name) == nullptr) {
      return absl::InvalidArgumentError(
          fmt::format("unexpected inference output '{}' for model '{}'",
                      output.name, model.name));
    }
    if (!seen.insert(output.name).second) {
      return absl::InvalidArgumentError(
          fmt::format("output '{}' already exists in request", output.name));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckBatchSize(const ModelConfig& model, InferRequest& request) {
  request.batch_size = 1;
  if (model.max_batch_size == 0) return absl::OkStatus();
  for (const Tensor& tensor : request.inputs) {
    if (tensor.shape.empty()) {
      return absl::InvalidArgumentError(
          fmt::format("input '{}' has no shape but model requires batch "
                      "dimension for '{}'",
                      tensor.name, model.name));
    }
    if (&tensor == &request.inputs.front()) {
      request.batch_size = tensor.shape[0];
    } else if (tensor.shape[0] != request.batch_size) {
      return absl::InvalidArgumentError(fmt::format(
          "input '{}' batch size does not match other inputs for '{}'",
          tensor.name, model.name));
    }
  }
  if (request.batch_size < 1) {
    return absl::InvalidArgumentError(fmt::format(
        "inference request batch-size must be >= 1 for '{}'", model.name));
  }
  if (request.batch_size > model.max_batch_size) {
    return absl::InvalidArgumentError(
        fmt::format("inference request batch-size must be <= {} for '{}'",
                    model.max_batch_size, model.name));
  }
  return absl::OkStatus();
}

absl::Status CheckTensor(const ModelConfig& model, const TensorConfig& input,
                         const Tensor& tensor) {
  if (tensor.datatype != input.datatype) {
    return absl::InvalidArgumentError(fmt::format(
        "inference input '{}' data-type is '{}', but model '{}' expects '{}'",
        tensor.name, DatatypeName(tensor.datatype), model.name,
        DatatypeName(input.datatype)));
  }
  const std::vector<int64_t> expected = WireShape(model, input);
  const bool fits = std::equal(
      expected.begin(), expected.end(), tensor.shape.begin(),
      tensor.shape.end(),
      [](int64_t want, int64_t have) { return want == -1 || want == have; });
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "unexpected shape for input '{}' for model '{}'. Expected {}, got {}.{}",
      tensor.name, model.name, ShapeText(expected), ShapeText(tensor.shape),
      model.max_batch_size > 0 ? " The first dimension is the batch." : ""));
}

}  // namespace

bool IsProtocolParameter(std::string_view key) {
  return key == "timeout" || key == "priority" || key == "binary_data_output";
}

absl::StatusOr<size_t> ParseHeaderLength(std::string_view value,
                                         size_t body_bytes) {
  int64_t length = 0;
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, length);
  if (error == std::errc::invalid_argument || stop != end) {
    return absl::InvalidArgumentError(
        fmt::format("Unable to parse {}, got: {}", kHeader, value));
  }
  if (error != std::errc() || length < 0 ||
      static_cast<uint64_t>(length) > body_bytes) {
    return absl::InvalidArgumentError(
        fmt::format("inference header size should be in range (0, {}), got: {}",
                    body_bytes, value));
  }
  return static_cast<size_t>(length);
}

absl::StatusOr<InferRequest> ParseInferRequest(std::string_view body,
                                               size_t json_bytes,
                                               const std::string& model) {
  QUAVER_CHECK(json_bytes <= body.size());
  JsonBody json;
  RETURN_IF_ERROR(json.Parse(body.substr(0, json_bytes)));
  InferRequest request;
  ASSIGN_OR_RETURN(const std::string_view id,
                   MemberOr<std::string_view>(json.root(), "id", ""));
  request.id = std::string(id);
  ASSIGN_OR_RETURN(const JsonObject parameters, Parameters(json.root()));
  if (parameters) {
    RETURN_IF_ERROR(ReadParameters(
        JsonMembers(parameters->begin(), parameters->end()), request));
  }
  RETURN_IF_ERROR(
      ReadTensors(json.root(), body.substr(json_bytes), model, request));
  return request;
}

absl::StatusOr<InferRequest> ParseRawRequest(std::string_view body,
                                             const ModelConfig& model) {
  if (model.inputs.empty() ||
      !std::all_of(model.inputs.begin() + 1, model.inputs.end(),
                   [](const TensorConfig& input) { return input.optional; })) {
    return absl::InvalidArgumentError(fmt::format(
        "Raw request must only have 1 input (found 1) to be deduced but got {} "
        "inputs in '{}' model configuration",
        model.inputs.size(), model.name));
  }
  const TensorConfig& input = model.inputs[0];
  InferRequest request;
  request.binary_output = true;
  Tensor tensor;
  tensor.name = input.name;
  tensor.datatype = input.datatype;
  if (input.datatype == Datatype::kBytes) {
    if (std::any_of(input.dims.begin(), input.dims.end(),
                    [](int64_t dim) { return dim != 1; })) {
      return absl::InvalidArgumentError(
          fmt::format("For BYTE datatype raw input '{}', the model must have "
                      "input shape [1]",
                      input.name));
    }
    ASSIGN_OR_RETURN(tensor.shape, ItemShape(model, input, 1));
    tensor.strings.emplace_back(body);
  } else {
    const auto num_elements =
        static_cast<int64_t>(body.size() / DatatypeSize(input.datatype));
    ASSIGN_OR_RETURN(tensor.shape, ItemShape(model, input, num_elements));
    RETURN_IF_ERROR(ReadBinaryData(body, model.name, tensor));
  }
  request.inputs.push_back(std::move(tensor));
  return request;
}

absl::Status FitToModel(const ModelConfig& model, InferRequest& request) {
  RETURN_IF_ERROR(CheckNames(model, request));
  RETURN_IF_ERROR(CheckBatchSize(model, request));
  for (Tensor& tensor : request.inputs) {
    const TensorConfig& input = *model.FindInput(tensor.name);
    RETURN_IF_ERROR(CheckTensor(model, input, tensor));
    if (input.is_scalar) tensor.shape = {request.batch_size};
  }
  return absl::OkStatus();
}

}  // namespace quaver
