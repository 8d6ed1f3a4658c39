// What the wire says of a model: Triton's model configuration, and KServe's
// metadata.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

inline constexpr char kModelVersion[] = "1";  // the only one of each model

struct TensorConfig {
  std::string name;
  Datatype datatype = Datatype::kBytes;
  std::vector<int64_t> dims;  // -1: variable; without the batch dimension
  // The servable's tensor has the batch dimension alone: dims are [1], as the
  // protocol knows no others, and Triton's reshape is [].
  bool is_scalar = false;
  bool optional = false;
};

struct ModelConfig {
  std::string name;
  std::string backend = "quaver";
  int max_batch_size = 0;  // 0: tensors have no batch dimension
  std::vector<TensorConfig> inputs;
  std::vector<TensorConfig> outputs;

  // Null for a name that is none.
  const TensorConfig* FindInput(std::string_view input) const;
  const TensorConfig* FindOutput(std::string_view output) const;
};

// From what the servable says of itself. InvalidArgument when max_batch_size is
// negative, or positive and a tensor of the servable has no variable first
// dimension.
absl::StatusOr<ModelConfig> CompleteConfig(const std::string& name,
                                           const Servable& servable,
                                           int max_batch_size);

// With the batch dimension.
std::vector<int64_t> WireShape(const ModelConfig& model,
                               const TensorConfig& tensor);

// The shape of one item of an input with so many elements: the only variable
// dimension follows from them. InvalidArgument when there are several.
absl::StatusOr<std::vector<int64_t>> ItemShape(const ModelConfig& model,
                                               const TensorConfig& input,
                                               int64_t num_elements);

// GET /v2/models/{model} and GET /v2/models/{model}/config.
nlohmann::ordered_json MetadataJson(const ModelConfig& model);
nlohmann::ordered_json ConfigJson(const ModelConfig& model);

}  // namespace quaver
