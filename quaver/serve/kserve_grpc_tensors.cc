// See kserve_grpc_tensors.h.
#include "quaver/serve/kserve_grpc_tensors.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <string>
#include <type_traits>
#include <utility>

#include "quaver/serve/internal/tensor_data.h"
#include "quaver/serve/kserve_datatype.h"
#include "quaver/serve/kserve_response.h"

namespace quaver {
namespace {

using inference::InferParameter;
using inference::InferTensorContents;
using inference::ModelInferRequest;

using Parameters = google::protobuf::Map<std::string, InferParameter>;
template <typename Value>
using Elements = google::protobuf::RepeatedField<Value>;

absl::Status RefuseSharedMemory(const Parameters& parameters,
                                const std::string& tensor) {
  if (!parameters.contains("shared_memory_region")) return absl::OkStatus();
  return absl::UnimplementedError(fmt::format(
      "shared memory is not supported, which '{}' asks for", tensor));
}

// A parameter that counts something.
absl::StatusOr<int64_t> ReadCount(const std::string& key,
                                  const InferParameter& parameter) {
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (parameter.has_uint64_param()) {
    return static_cast<int64_t>(std::min(parameter.uint64_param(), kMax));
  }
  if (parameter.has_int64_param() && parameter.int64_param() >= 0) {
    return parameter.int64_param();
  }
  return absl::InvalidArgumentError(
      fmt::format("invalid value for '{}' parameter: expected int64_param or "
                  "uint64_param, at least 0",
                  key));
}

absl::Status AppendParameter(const std::string& key,
                             const InferParameter& parameter,
                             std::string& json) {
  AppendJsonString(key, json);
  json += ':';
  switch (parameter.parameter_choice_case()) {
    case InferParameter::kBoolParam:
      json += parameter.bool_param() ? "true" : "false";
      return absl::OkStatus();
    case InferParameter::kInt64Param:
      json += fmt::to_string(parameter.int64_param());
      return absl::OkStatus();
    case InferParameter::kUint64Param:
      json += fmt::to_string(parameter.uint64_param());
      return absl::OkStatus();
    case InferParameter::kStringParam:
      AppendJsonString(parameter.string_param(), json);
      return absl::OkStatus();
    case InferParameter::kDoubleParam:
      if (!std::isfinite(parameter.double_param())) break;
      json += fmt::to_string(parameter.double_param());
      return absl::OkStatus();
    case InferParameter::PARAMETER_CHOICE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(
      fmt::format("parameter '{}' has invalid type. It should be either a "
                  "finite number, a bool, or a string.",
                  key));
}

// What clients send to be told of the last answer of several; here each request
// has one.
constexpr char kEmptyFinal[] = "triton_enable_empty_final_response";

absl::Status ReadParameters(const Parameters& parameters,
                            InferRequest& request) {
  std::map<std::string, const InferParameter*> own;  // the same order each time
  for (const auto& [key, parameter] : parameters) {
    if (key == "timeout") {
      ASSIGN_OR_RETURN(request.timeout_us, ReadCount(key, parameter));
    } else if (key == "priority") {
      ASSIGN_OR_RETURN(const int64_t priority, ReadCount(key, parameter));
      request.priority = static_cast<int>(
          std::min(priority, int64_t{std::numeric_limits<int>::max()}));
    } else if (key.starts_with("triton_") && key != kEmptyFinal) {
      return absl::InvalidArgumentError(
          fmt::format("parameter keys starting with 'triton_' are reserved: "
                      "'{}' should not be specified",
                      key));
    } else if (!IsProtocolParameter(key) && key != kEmptyFinal) {
      own.emplace(key, &parameter);
    }
  }
  for (const auto& [key, parameter] : own) {
    request.parameters += request.parameters.empty() ? '{' : ',';
    RETURN_IF_ERROR(AppendParameter(key, *parameter, request.parameters));
  }
  if (!own.empty()) request.parameters += '}';
  return absl::OkStatus();
}

int64_t NumElements(const InferTensorContents& contents) {
  return int64_t{contents.bool_contents_size()} + contents.int_contents_size() +
         contents.int64_contents_size() + contents.uint_contents_size() +
         contents.uint64_contents_size() + contents.fp32_contents_size() +
         contents.fp64_contents_size() + contents.bytes_contents_size();
}

absl::Status CheckCounts(const InferTensorContents& contents, int64_t count,
                         const std::string& model, const Tensor& tensor) {
  if (NumElements(contents) != count) {
    return absl::InvalidArgumentError(
        fmt::format("contents of input '{}' for model '{}' have elements in a "
                    "field that is not that of its datatype {}",
                    tensor.name, model, DatatypeName(tensor.datatype)));
  }
  ASSIGN_OR_RETURN(const int64_t expected, CountElements(tensor));
  if (count == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "expected {} {}elements for inference input '{}' for model '{}', got {}",
      expected, tensor.datatype == Datatype::kBytes ? "string " : "",
      tensor.name, model, count));
}

// Where the wire's type is wider than the datatype's.
template <typename Value, typename Wide>
absl::Status ReadNumbers(const Elements<Wide>& elements, Tensor& tensor) {
  tensor.raw.resize(static_cast<size_t>(elements.size()) * sizeof(Value));
  auto* values = reinterpret_cast<Value*>(tensor.raw.data());
  if constexpr (std::is_same_v<Value, Wide>) {
    std::copy(elements.begin(), elements.end(), values);
  } else {
    for (const Wide element : elements) {
      if (!std::in_range<Value>(element)) {
        return absl::InvalidArgumentError(
            fmt::format("element {} of input '{}' is not in the range of {}",
                        values - reinterpret_cast<Value*>(tensor.raw.data()),
                        tensor.name, DatatypeName(tensor.datatype)));
      }
      *values++ = static_cast<Value>(element);
    }
  }
  return absl::OkStatus();
}

// Calls read(a value of the datatype, the field that has its elements).
template <typename Read>
absl::Status WithNumbers(const InferTensorContents& contents,
                         const Tensor& tensor, const Read& read) {
  switch (tensor.datatype) {
    case Datatype::kBool:
      return read(bool{false}, contents.bool_contents());
    case Datatype::kInt8:
      return read(int8_t{0}, contents.int_contents());
    case Datatype::kInt16:
      return read(int16_t{0}, contents.int_contents());
    case Datatype::kInt32:
      return read(int32_t{0}, contents.int_contents());
    case Datatype::kInt64:
      return read(int64_t{0}, contents.int64_contents());
    case Datatype::kUint8:
      return read(uint8_t{0}, contents.uint_contents());
    case Datatype::kUint16:
      return read(uint16_t{0}, contents.uint_contents());
    case Datatype::kUint32:
      return read(uint32_t{0}, contents.uint_contents());
    case Datatype::kUint64:
      return read(uint64_t{0}, contents.uint64_contents());
    case Datatype::kFp32:
      return read(float{0}, contents.fp32_contents());
    case Datatype::kFp64:
      return read(double{0}, contents.fp64_contents());
    default:
      return absl::InvalidArgumentError(fmt::format(
          "receiving {} data via InferTensorContents is not supported. Please "
          "use raw_input_contents for input {}",
          DatatypeName(tensor.datatype), tensor.name));
  }
}

absl::Status ReadContents(InferTensorContents& contents,
                          const std::string& model, Tensor& tensor) {
  if (tensor.datatype == Datatype::kBytes) {
    auto& texts = *contents.mutable_bytes_contents();
    RETURN_IF_ERROR(CheckCounts(contents, texts.size(), model, tensor));
    tensor.strings.assign(std::make_move_iterator(texts.begin()),
                          std::make_move_iterator(texts.end()));
    return absl::OkStatus();
  }
  return WithNumbers(
      contents, tensor, [&](auto zero, const auto& elements) -> absl::Status {
        RETURN_IF_ERROR(CheckCounts(contents, elements.size(), model, tensor));
        return ReadNumbers<decltype(zero)>(elements, tensor);
      });
}

absl::StatusOr<Tensor> ReadHead(ModelInferRequest::InferInputTensor& input) {
  const auto datatype = DatatypeOf(input.datatype());
  if (!datatype) {
    return absl::InvalidArgumentError(
        fmt::format("invalid datatype \"{}\" for input {}", input.datatype(),
                    input.name()));
  }
  RETURN_IF_ERROR(RefuseSharedMemory(input.parameters(), input.name()));
  Tensor tensor;
  tensor.datatype = *datatype;
  tensor.shape.assign(input.shape().begin(), input.shape().end());
  tensor.name = std::move(*input.mutable_name());
  return tensor;
}

absl::Status CheckNumRaw(const ModelInferRequest& message,
                         const std::string& model) {
  const int num_raw = message.raw_input_contents_size();
  const int num_inputs = message.inputs_size();
  if (num_raw > num_inputs) {
    return absl::InvalidArgumentError(
        fmt::format("unexpected additional input data for model '{}': {} of "
                    "raw_input_contents for {} inputs",
                    model, num_raw, num_inputs));
  }
  if (num_raw > 0 && num_raw < num_inputs) {
    return absl::InvalidArgumentError(
        fmt::format("expected {} of raw_input_contents for model '{}', one for "
                    "each input, got {}",
                    num_inputs, model, num_raw));
  }
  return absl::OkStatus();
}

absl::Status ReadHeads(ModelInferRequest& message, InferRequest& request) {
  request.inputs.reserve(static_cast<size_t>(message.inputs_size()));
  for (auto& input : *message.mutable_inputs()) {
    ASSIGN_OR_RETURN(Tensor tensor, ReadHead(input));
    request.inputs.push_back(std::move(tensor));
  }
  return absl::OkStatus();
}

// Of tensors whose heads are there.
absl::Status ReadData(ModelInferRequest& message, const std::string& model,
                      InferRequest& request) {
  const bool is_raw = message.raw_input_contents_size() > 0;
  for (int i = 0; i < message.inputs_size(); ++i) {
    auto& input = *message.mutable_inputs(i);
    Tensor& tensor = request.inputs[static_cast<size_t>(i)];
    if (!is_raw) {
      RETURN_IF_ERROR(ReadContents(*input.mutable_contents(), model, tensor));
    } else if (NumElements(input.contents()) > 0) {
      return absl::InvalidArgumentError(fmt::format(
          "contents field must not be specified when using raw_input_contents "
          "for '{}' for model '{}'",
          tensor.name, model));
    } else {
      RETURN_IF_ERROR(
          ReadBinaryData(message.raw_input_contents(i), model, tensor));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadOutputs(const ModelInferRequest& message,
                         InferRequest& request) {
  for (const auto& output : message.outputs()) {
    RETURN_IF_ERROR(RefuseSharedMemory(output.parameters(), output.name()));
    const auto classes = output.parameters().find("classification");
    if (classes != output.parameters().end()) {
      ASSIGN_OR_RETURN(const int64_t num_classes,
                       ReadCount(classes->first, classes->second));
      if (num_classes > 0) {
        return absl::UnimplementedError(fmt::format(
            "classification is not supported, which output '{}' asks for",
            output.name()));
      }
    }
    request.outputs.push_back({output.name(), std::nullopt});
  }
  return absl::OkStatus();
}

bool IsWanted(const InferRequest& request, const std::string& output) {
  const auto& wanted = request.outputs;
  return wanted.empty() ||
         std::any_of(wanted.begin(), wanted.end(),
                     [&](const auto& one) { return one.name == output; });
}

}  // namespace

absl::StatusOr<InferRequest> ReadGrpcRequest(ModelInferRequest& message,
                                             const ModelConfig& model) {
  InferRequest request;
  request.id = message.id();
  request.binary_output = true;
  RETURN_IF_ERROR(ReadParameters(message.parameters(), request));
  RETURN_IF_ERROR(CheckNumRaw(message, model.name));
  RETURN_IF_ERROR(ReadHeads(message, request));
  RETURN_IF_ERROR(ReadOutputs(message, request));
  // First, as data of another datatype or shape does not fit that either.
  RETURN_IF_ERROR(FitToModel(model, request));
  RETURN_IF_ERROR(ReadData(message, model.name, request));
  return request;
}

void WriteGrpcAnswer(const ModelConfig& model, const InferRequest& request,
                     const Tensors& outputs,
                     inference::ModelInferResponse& answer) {
  answer.set_model_name(model.name);
  answer.set_model_version(fmt::to_string(model.version));
  answer.set_id(request.id);
  for (const Tensor& output : outputs) {
    if (!IsWanted(request, output.name)) continue;
    auto& described = *answer.add_outputs();
    described.set_name(output.name);
    described.set_datatype(std::string(DatatypeName(output.datatype)));
    const std::vector<int64_t> shape = AnswerShape(model, output);
    described.mutable_shape()->Assign(shape.begin(), shape.end());
    std::string& raw = *answer.add_raw_output_contents();
    raw.reserve(BinaryBytes(output));
    AppendBinaryData(output, raw);
  }
}

}  // namespace quaver
