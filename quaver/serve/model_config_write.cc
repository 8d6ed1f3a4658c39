// See model_config.h: from our form to protobuf's.
#include <nlohmann/json.hpp>

#include "quaver/base/check.h"
#include "quaver/net/proto/model_config.pb.h"
#include "quaver/serve/internal/message_json.h"
#include "quaver/serve/kserve_datatype.h"
#include "quaver/serve/model_config.h"

namespace quaver {
namespace {

inference::DataType TypeOf(Datatype datatype) {
  inference::DataType type = inference::TYPE_INVALID;
  QUAVER_CHECK(
      inference::DataType_Parse(std::string(ConfigTypeName(datatype)), &type));
  return type;
}

// Keeps what the source says of the tensor beyond what we follow.
template <typename Tensors>
void WriteTensors(const std::vector<TensorConfig>& tensors, Tensors& list) {
  const Tensors sources = list;
  list.Clear();
  for (const TensorConfig& tensor : tensors) {
    auto& to = *list.Add();
    for (const auto& source : sources) {
      if (source.name() == tensor.name) to = source;
    }
    to.set_name(tensor.name);
    to.set_data_type(TypeOf(tensor.datatype));
    to.clear_dims();
    for (const int64_t dim : tensor.dims) to.add_dims(dim);
    to.clear_reshape();
    if (tensor.is_scalar) to.mutable_reshape();
    if constexpr (requires { to.set_optional(true); }) {
      to.set_optional(tensor.optional);
    }
  }
}

}  // namespace

inference::ModelConfig ConfigProto(const ModelConfig& config) {
  inference::ModelConfig proto;
  if (config.source != nullptr) proto = *config.source;
  proto.set_name(config.name);
  if (!config.ensemble) proto.set_backend(config.backend);
  proto.set_max_batch_size(config.max_batch_size);
  WriteTensors(config.inputs, *proto.mutable_input());
  WriteTensors(config.outputs, *proto.mutable_output());
  if (proto.version_policy().policy_choice_case() ==
      inference::ModelVersionPolicy::POLICY_CHOICE_NOT_SET) {
    proto.mutable_version_policy()->mutable_latest()->set_num_versions(1);
  }
  if (config.dynamic_batching) proto.mutable_dynamic_batching();
  for (int i = 0; i < proto.instance_group_size(); ++i) {
    inference::ModelInstanceGroup& group = *proto.mutable_instance_group(i);
    group.set_name(config.instance_groups[static_cast<size_t>(i)].name);
    group.set_count(config.instance_groups[static_cast<size_t>(i)].count);
    if (group.kind() == inference::ModelInstanceGroup::KIND_AUTO) {
      group.set_kind(inference::ModelInstanceGroup::KIND_CPU);
    }
  }
  return proto;
}

nlohmann::ordered_json ConfigJson(const ModelConfig& config) {
  return MessageJson(ConfigProto(config));
}

}  // namespace quaver
