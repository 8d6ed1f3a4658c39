// See kserve_model.h.
#include "quaver/serve/kserve_model.h"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "quaver/serve/internal/tensor_data.h"
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

// How a tensor of the servable is configured, or an error.
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

bool DimsAgree(const std::vector<int64_t>& one,
               const std::vector<int64_t>& other) {
  return std::equal(
      one.begin(), one.end(), other.begin(), other.end(),
      [](int64_t a, int64_t b) { return a == -1 || b == -1 || a == b; });
}

// `what`: "input" or "output".
absl::Status CheckAgainstModel(const std::string& model, const char* what,
                               const TensorConfig& configured,
                               const TensorConfig& has) {
  if (configured.datatype != has.datatype) {
    return absl::InvalidArgumentError(
        fmt::format("model '{}', {} '{}': the model has data-type {}, but the "
                    "configuration specifies {}",
                    model, what, has.name, ConfigTypeName(has.datatype),
                    ConfigTypeName(configured.datatype)));
  }
  if (!DimsAgree(configured.dims, has.dims)) {
    return absl::InvalidArgumentError(
        fmt::format("model '{}', {} '{}': the model has dims {}, but the "
                    "configuration specifies {}",
                    model, what, has.name, ShapeText(has.dims),
                    ShapeText(configured.dims)));
  }
  return absl::OkStatus();
}

// Checks the tensors that are configured and adds those that are not, in the
// servable's order.
absl::Status CompleteTensors(const ModelConfig& config, const char* what,
                             const std::vector<TensorSpec>& specs,
                             std::vector<TensorConfig>& tensors) {
  std::vector<TensorConfig> complete;
  for (const TensorSpec& spec : specs) {
    ASSIGN_OR_RETURN(
        TensorConfig tensor,
        CompleteTensor(config.name, spec, config.max_batch_size > 0));
    if (const TensorConfig* given = FindTensor(tensors, spec.name)) {
      RETURN_IF_ERROR(CheckAgainstModel(config.name, what, *given, tensor));
      if (!tensor.is_scalar) tensor.dims = given->dims;
      tensor.optional = tensor.optional || given->optional;
      tensor.ragged = given->ragged;
    }
    complete.push_back(std::move(tensor));
  }
  for (const TensorConfig& given : tensors) {
    if (FindTensor(complete, given.name) != nullptr) continue;
    std::string names;
    for (const TensorConfig& one : complete) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", one.name);
    }
    return absl::InvalidArgumentError(fmt::format(
        "unexpected inference {} '{}' for model '{}', allowed {}s are: {}",
        what, given.name, config.name, what, names));
  }
  tensors = std::move(complete);
  return absl::OkStatus();
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

}  // namespace

const TensorConfig* ModelConfig::FindInput(std::string_view input) const {
  return FindTensor(inputs, input);
}

const TensorConfig* ModelConfig::FindOutput(std::string_view output) const {
  return FindTensor(outputs, output);
}

bool ModelConfig::HasStep(std::string_view model) const {
  if (!ensemble) return false;
  const auto& steps = ensemble->steps;
  return std::any_of(steps.begin(), steps.end(), [&](const EnsembleStep& step) {
    return step.model == model;
  });
}

int ModelConfig::num_instances() const {
  int sum = 0;
  for (const InstanceGroup& group : instance_groups) sum += group.count;
  return sum;
}

absl::StatusOr<int64_t> ModelConfig::IntParameter(const std::string& key,
                                                  int64_t otherwise,
                                                  int64_t least,
                                                  int64_t most) const {
  const auto found = parameters.find(key);
  if (found == parameters.end()) return otherwise;
  const std::string& text = found->second;
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value < least || value > most) {
    return absl::InvalidArgumentError(fmt::format(
        "model '{}': parameter '{}' is '{}'; it has to be a number from {} to "
        "{}",
        name, key, text, least, most));
  }
  return value;
}

absl::StatusOr<ModelConfig> CompleteConfig(const std::string& name,
                                           const Servable& servable,
                                           int max_batch_size) {
  ModelConfig model;
  model.name = name;
  model.max_batch_size = max_batch_size;
  RETURN_IF_ERROR(CompleteConfig(servable, model));
  return model;
}

absl::Status CompleteConfig(const Servable& servable, ModelConfig& config) {
  if (config.max_batch_size < 0) {
    return absl::InvalidArgumentError(
        fmt::format("model '{}': max_batch_size is {}, below 0", config.name,
                    config.max_batch_size));
  }
  RETURN_IF_ERROR(
      CompleteTensors(config, "input", servable.inputs(), config.inputs));
  return CompleteTensors(config, "output", servable.outputs(), config.outputs);
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
      if (__builtin_mul_overflow(num_known, dim, &num_known)) {
        return absl::InvalidArgumentError(fmt::format(
            "The dimensions of input '{}' are too large", input.name));
      }
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

Json MetadataJson(const ModelConfig& model,
                  const std::vector<int64_t>& versions) {
  Json names = Json::array();
  for (const int64_t version : versions)
    names.push_back(fmt::to_string(version));
  return {{"name", model.name},
          {"versions", std::move(names)},
          {"platform", model.ensemble ? "ensemble" : model.backend},
          {"inputs", TensorMetadata(model, model.inputs)},
          {"outputs", TensorMetadata(model, model.outputs)}};
}

}  // namespace quaver
