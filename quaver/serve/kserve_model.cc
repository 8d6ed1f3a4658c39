// See kserve_model.h.
#include "quaver/serve/kserve_model.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "quaver/serve/kserve_datatype.h"

namespace quaver {
namespace {

using Json = nlohmann::ordered_json;

const TensorConfig* FindTensor(const std::vector<TensorConfig>& tensors,
                               std::string_view name) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(),
                   [&](const TensorConfig& one) { return one.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

absl::StatusOr<TensorConfig> CompleteTensor(const std::string& model,
                                            const TensorSpec& spec,
                                            bool has_batches) {
  TensorConfig tensor;
  tensor.name = spec.name;
  tensor.datatype = spec.datatype;
  tensor.dims = spec.shape;
  tensor.optional = spec.optional;
  if (!has_batches) return tensor;
  if (spec.shape.empty() || spec.shape[0] != -1) {
    return absl::InvalidArgumentError(
        fmt::format("model '{}': max_batch_size has to be 0, as tensor '{}' "
                    "has no batch dimension",
                    model, spec.name));
  }
  tensor.dims.erase(tensor.dims.begin());
  tensor.is_scalar = tensor.dims.empty();
  if (tensor.is_scalar) tensor.dims = {1};
  return tensor;
}

Json TensorMetadata(const ModelConfig& model,
                    const std::vector<TensorConfig>& tensors) {
  Json list = Json::array();
  for (const TensorConfig& tensor : tensors) {
    list.push_back({{"name", tensor.name},
                    {"datatype", DatatypeName(tensor.datatype)},
                    {"shape", WireShape(model, tensor)}});
  }
  return list;
}

Json TensorConfigJson(const TensorConfig& tensor) {
  Json json = {{"name", tensor.name},
               {"data_type", ConfigTypeName(tensor.datatype)},
               {"dims", tensor.dims}};
  if (tensor.is_scalar) json["reshape"] = {{"shape", Json::array()}};
  json["is_shape_tensor"] = false;
  return json;
}

}  // namespace

const TensorConfig* ModelConfig::FindInput(std::string_view input) const {
  return FindTensor(inputs, input);
}

const TensorConfig* ModelConfig::FindOutput(std::string_view output) const {
  return FindTensor(outputs, output);
}

absl::StatusOr<ModelConfig> CompleteConfig(const std::string& name,
                                           const Servable& servable,
                                           int max_batch_size) {
  if (max_batch_size < 0) {
    return absl::InvalidArgumentError(fmt::format(
        "model '{}': max_batch_size is {}, below 0", name, max_batch_size));
  }
  ModelConfig model;
  model.name = name;
  model.max_batch_size = max_batch_size;
  for (const TensorSpec& spec : servable.inputs()) {
    ASSIGN_OR_RETURN(TensorConfig tensor,
                     CompleteTensor(name, spec, max_batch_size > 0));
    model.inputs.push_back(std::move(tensor));
  }
  for (const TensorSpec& spec : servable.outputs()) {
    ASSIGN_OR_RETURN(TensorConfig tensor,
                     CompleteTensor(name, spec, max_batch_size > 0));
    model.outputs.push_back(std::move(tensor));
  }
  return model;
}

std::vector<int64_t> WireShape(const ModelConfig& model,
                               const TensorConfig& tensor) {
  std::vector<int64_t> shape = tensor.dims;
  if (model.max_batch_size > 0) shape.insert(shape.begin(), -1);
  return shape;
}

absl::StatusOr<std::vector<int64_t>> ItemShape(const ModelConfig& model,
                                               const TensorConfig& input,
                                               int64_t num_elements) {
  std::vector<int64_t> shape = input.dims;
  int64_t num_known = 1;
  int64_t* variable = nullptr;
  for (int64_t& dim : shape) {
    if (dim >= 0) {
      num_known *= dim;
    } else if (variable == nullptr) {
      variable = &dim;
    } else {
      return absl::InvalidArgumentError(fmt::format(
          "The shape of the raw input '{}' can not be deduced because there "
          "are more than one variable-sized dimension",
          input.name));
    }
  }
  if (variable != nullptr) {
    *variable = num_known == 0 ? 0 : num_elements / num_known;
  }
  if (model.max_batch_size > 0) shape.insert(shape.begin(), 1);
  return shape;
}

Json MetadataJson(const ModelConfig& model) {
  return {{"name", model.name},
          {"versions", {kModelVersion}},
          {"platform", model.backend},
          {"inputs", TensorMetadata(model, model.inputs)},
          {"outputs", TensorMetadata(model, model.outputs)}};
}

Json ConfigJson(const ModelConfig& model) {
  Json inputs = Json::array();
  for (const TensorConfig& tensor : model.inputs) {
    Json json = TensorConfigJson(tensor);
    json["format"] = "FORMAT_NONE";
    json["allow_ragged_batch"] = false;
    json["optional"] = tensor.optional;
    inputs.push_back(std::move(json));
  }
  Json outputs = Json::array();
  for (const TensorConfig& tensor : model.outputs) {
    outputs.push_back(TensorConfigJson(tensor));
  }
  return {{"name", model.name},
          {"platform", ""},
          {"backend", model.backend},
          {"version_policy", {{"latest", {{"num_versions", 1}}}}},
          {"max_batch_size", model.max_batch_size},
          {"input", std::move(inputs)},
          {"output", std::move(outputs)},
          {"instance_group", Json::array()},
          {"parameters", Json::object()},
          {"model_warmup", Json::array()}};
}

}  // namespace quaver
