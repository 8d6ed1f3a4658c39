// See model_config.h: from protobuf's form to ours, checked.
#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "quaver/net/proto/model_config.pb.h"
#include "quaver/serve/internal/scheduling_config.h"
#include "quaver/serve/kserve_datatype.h"
#include "quaver/serve/model_config.h"

namespace quaver {
namespace {

constexpr int64_t kMaxWarmups = 1'000'000;

absl::StatusOr<Datatype> ReadDatatype(const std::string& model,
                                      std::string_view what,
                                      inference::DataType type) {
  for (int i = 0; i <= static_cast<int>(Datatype::kBytes); ++i) {
    const auto datatype = static_cast<Datatype>(i);
    if (ConfigTypeName(datatype) == inference::DataType_Name(type)) {
      return datatype;
    }
  }
  return Invalid(model, fmt::format("{} must specify 'data_type'", what));
}

// Of what an input and an output have in common.
template <typename Source>
absl::StatusOr<TensorConfig> ReadTensor(const std::string& model,
                                        std::string_view kind,
                                        const Source& source) {
  TensorConfig tensor;
  tensor.name = source.name();
  if (tensor.name.empty()) {
    return Invalid(model, fmt::format("model {} must specify 'name'", kind));
  }
  const std::string what = fmt::format("model {} '{}'", kind, tensor.name);
  ASSIGN_OR_RETURN(tensor.datatype,
                   ReadDatatype(model, what, source.data_type()));
  tensor.dims.assign(source.dims().begin(), source.dims().end());
  if (tensor.dims.empty()) {
    return Invalid(model, fmt::format("{} must specify 'dims'", what));
  }
  for (const int64_t dim : tensor.dims) {
    if (dim < 1 && dim != -1) {
      return Invalid(model, fmt::format("{} dimension must be integer >= 1, or "
                                        "-1 to indicate a variable-size "
                                        "dimension; it is {}",
                                        what, dim));
    }
  }
  if constexpr (requires { source.allow_ragged_batch(); }) {
    tensor.optional = source.optional();
    tensor.ragged = source.allow_ragged_batch();
  }
  if (!source.has_reshape()) return tensor;
  tensor.is_scalar = source.reshape().shape().empty();
  if (!tensor.is_scalar || tensor.dims != std::vector<int64_t>{1}) {
    return Unsupported(model, fmt::format("{} has a reshape; only dims [1] can "
                                          "be reshaped, to []",
                                          what));
  }
  return tensor;
}

template <typename Sources>
absl::StatusOr<std::vector<TensorConfig>> ReadTensors(const std::string& model,
                                                      std::string_view kind,
                                                      const Sources& sources) {
  std::vector<TensorConfig> tensors;
  std::set<std::string> names;
  for (const auto& source : sources) {
    ASSIGN_OR_RETURN(TensorConfig tensor, ReadTensor(model, kind, source));
    if (!names.insert(tensor.name).second) {
      return Invalid(model, fmt::format("model {} '{}' is configured twice",
                                        kind, tensor.name));
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

absl::StatusOr<std::vector<BatchInput>> ReadBatchInputs(
    const std::string& model, const inference::ModelConfig& source) {
  using Kind = inference::BatchInput;
  const std::map<Kind::Kind, BatchInput::Kind> kinds = {
      {Kind::BATCH_ELEMENT_COUNT, BatchInput::Kind::kElementCount},
      {Kind::BATCH_ACCUMULATED_ELEMENT_COUNT,
       BatchInput::Kind::kAccumulatedElementCount},
      {Kind::BATCH_ACCUMULATED_ELEMENT_COUNT_WITH_ZERO,
       BatchInput::Kind::kAccumulatedElementCountWithZero},
      {Kind::BATCH_MAX_ELEMENT_COUNT_AS_SHAPE,
       BatchInput::Kind::kMaxElementCountAsShape}};
  std::vector<BatchInput> inputs;
  for (const inference::BatchInput& from : source.batch_input()) {
    const auto kind = kinds.find(from.kind());
    if (kind == kinds.end()) {
      return Unsupported(model, fmt::format("batch_input of kind {}",
                                            Kind::Kind_Name(from.kind())));
    }
    if (from.target_name_size() != 1 || from.source_input_size() != 1) {
      return Invalid(model,
                     "a batch_input has one target_name and one "
                     "source_input");
    }
    BatchInput input;
    input.kind = kind->second;
    input.name = from.target_name(0);
    input.source = from.source_input(0);
    ASSIGN_OR_RETURN(
        input.datatype,
        ReadDatatype(model, fmt::format("batch_input '{}'", input.name),
                     from.data_type()));
    inputs.push_back(std::move(input));
  }
  return inputs;
}

absl::StatusOr<VersionPolicy> ReadVersionPolicy(
    const std::string& model, const inference::ModelVersionPolicy& source) {
  VersionPolicy policy;
  if (source.has_all()) {
    policy.kind = VersionPolicy::Kind::kAll;
  } else if (source.has_specific()) {
    policy.kind = VersionPolicy::Kind::kSpecific;
    policy.specific.assign(source.specific().versions().begin(),
                           source.specific().versions().end());
    if (policy.specific.empty()) {
      return Invalid(model, "version_policy 'specific' names no version");
    }
  } else if (source.has_latest()) {
    policy.num_latest = ClampedInt(source.latest().num_versions());
    if (policy.num_latest < 1) {
      return Invalid(model, "version_policy 'latest' needs num_versions >= 1");
    }
  }
  return policy;
}

absl::StatusOr<WarmupRequest::Input> ReadWarmupInput(
    const std::string& model, const std::string& what,
    const inference::ModelWarmup::Input& source) {
  WarmupRequest::Input input;
  ASSIGN_OR_RETURN(input.datatype,
                   ReadDatatype(model, what, source.data_type()));
  input.dims.assign(source.dims().begin(), source.dims().end());
  for (const int64_t dim : input.dims) {
    if (dim < 0) {
      return Invalid(model, fmt::format("{} has dimension {}, but must have a "
                                        "fixed shape",
                                        what, dim));
    }
  }
  using Source = inference::ModelWarmup::Input;
  switch (source.input_data_type_case()) {
    case Source::kZeroData:
      break;
    case Source::kRandomData:
      input.data = WarmupRequest::Data::kRandom;
      break;
    case Source::kInputDataFile:
      input.data = WarmupRequest::Data::kFile;
      input.file = source.input_data_file();
      if (input.file.empty() || input.file[0] == '.' ||
          input.file.find('/') != std::string::npos) {
        return Invalid(
            model, fmt::format("{}: '{}' is no file's name", what, input.file));
      }
      break;
    case Source::INPUT_DATA_TYPE_NOT_SET:
      return Invalid(model, fmt::format("{} must set zero_data, random_data or "
                                        "input_data_file",
                                        what));
  }
  return input;
}

absl::StatusOr<std::vector<WarmupRequest>> ReadWarmups(
    const std::string& model, const inference::ModelConfig& source) {
  std::vector<WarmupRequest> warmups;
  for (const inference::ModelWarmup& from : source.model_warmup()) {
    WarmupRequest warmup;
    warmup.name = from.name();
    warmup.batch_size = ClampedInt(from.batch_size());
    warmup.count = from.count() == 0 ? 1 : ClampedInt(from.count());
    if (warmup.batch_size > std::max(1, source.max_batch_size())) {
      return Invalid(model,
                     fmt::format("model_warmup '{}' has batch_size {}, above "
                                 "max_batch_size",
                                 warmup.name, warmup.batch_size));
    }
    if (warmup.count > kMaxWarmups) {
      return Invalid(model, fmt::format("model_warmup '{}' has count {}",
                                        warmup.name, warmup.count));
    }
    for (const auto& [name, input] : from.inputs()) {
      const std::string what =
          fmt::format("model_warmup '{}', input '{}'", warmup.name, name);
      ASSIGN_OR_RETURN(warmup.inputs[name],
                       ReadWarmupInput(model, what, input));
    }
    warmups.push_back(std::move(warmup));
  }
  return warmups;
}

// Names that a Prometheus label may have behind the "_" that it gets.
bool IsLabelName(std::string_view name) {
  return !name.empty() &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyz"
             "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string_view::npos;
}

absl::Status ReadParameters(const inference::ModelConfig& source,
                            ModelConfig& config) {
  for (const auto& [key, value] : source.parameters()) {
    config.parameters[key] = value.string_value();
  }
  for (const auto& [key, value] : source.metric_tags()) {
    if (!IsLabelName(key)) {
      return Invalid(config.name,
                     fmt::format("metric_tags: '{}' may have letters, digits "
                                 "and '_' only",
                                 key));
    }
    config.metric_tags[key] = value;
  }
  const auto adaptive = config.parameters.find("adaptive_batching");
  if (adaptive == config.parameters.end()) return absl::OkStatus();
  if (adaptive->second != "true" && adaptive->second != "false") {
    return Invalid(config.name,
                   fmt::format("parameter 'adaptive_batching' is '{}'; it has "
                               "to be true or false",
                               adaptive->second));
  }
  if (adaptive->second == "true") {
    if (!config.dynamic_batching) config.dynamic_batching.emplace();
    config.dynamic_batching->adaptive = true;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelConfig> ReadConfig(const inference::ModelConfig& source,
                                       const std::string& name) {
  ModelConfig config;
  config.name = name;
  if (!source.name().empty() && source.name() != name) {
    return Invalid(name, fmt::format("the configuration's name is '{}'; it has "
                                     "to be the folder's",
                                     source.name()));
  }
  config.backend = source.backend();
  config.max_batch_size = source.max_batch_size();
  if (config.max_batch_size < 0) {
    return Invalid(name, fmt::format("'max_batch_size' must be non-negative "
                                     "value; it is {}",
                                     config.max_batch_size));
  }
  ASSIGN_OR_RETURN(config.inputs, ReadTensors(name, "input", source.input()));
  ASSIGN_OR_RETURN(config.outputs,
                   ReadTensors(name, "output", source.output()));
  ASSIGN_OR_RETURN(config.version_policy,
                   ReadVersionPolicy(name, source.version_policy()));
  ASSIGN_OR_RETURN(config.batch_inputs, ReadBatchInputs(name, source));
  RETURN_IF_ERROR(ReadScheduling(source, config));
  ASSIGN_OR_RETURN(config.warmups, ReadWarmups(name, source));
  config.response_cache = source.response_cache().enable();
  config.default_model_filename = source.default_model_filename();
  if (config.default_model_filename.find('/') != std::string::npos ||
      config.default_model_filename == "..") {
    return Invalid(name, fmt::format("default_model_filename '{}' is no file's "
                                     "name",
                                     config.default_model_filename));
  }
  RETURN_IF_ERROR(ReadParameters(source, config));
  config.source = std::make_shared<inference::ModelConfig>(source);
  return config;
}

}  // namespace quaver
