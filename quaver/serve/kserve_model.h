// A model's configuration: what the server follows of Triton's, and what the
// wire says of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "quaver/base/status.h"
#include "quaver/sched/batching.h"
#include "quaver/sched/batching_servable.h"
#include "quaver/sched/ensemble.h"
#include "quaver/sched/servable.h"

namespace inference {
class ModelConfig;  // quaver/net/proto/model_config.proto
}

namespace quaver {

struct TensorConfig {
  std::string name;
  Datatype datatype = Datatype::kBytes;
  std::vector<int64_t> dims;  // -1: variable; without the batch dimension
  // The servable's tensor has the batch dimension alone: dims are [1], as the
  // protocol knows no others, and Triton's reshape is [].
  bool is_scalar = false;
  bool optional = false;
  bool ragged = false;  // may differ in shape between the calls of a batch
};

struct VersionPolicy {
  enum class Kind { kLatest, kAll, kSpecific };
  Kind kind = Kind::kLatest;
  int num_latest = 1;
  std::vector<int64_t> specific;
};

struct InstanceGroup {
  std::string name;
  int count = 1;
  std::string host_policy;  // empty: none
};

// A request that is made, `count` times, before a model is ready.
struct WarmupRequest {
  enum class Data { kZero, kRandom, kFile };
  struct Input {
    Datatype datatype = Datatype::kBytes;
    std::vector<int64_t> dims;  // without the batch dimension
    Data data = Data::kZero;
    std::string file;  // of kFile, in the model's folder "warmup"
  };
  std::string name;
  int batch_size = 0;  // 0: one, or without a batch dimension
  int count = 1;
  std::map<std::string, Input> inputs;
};

struct EnsembleScheduling {
  std::vector<EnsembleStep> steps;
  int max_inflight_requests = 0;  // 0: no bound
};

struct ModelConfig {
  std::string name;
  int64_t version = 1;  // that this describes
  std::string backend = "quaver";
  int max_batch_size = 0;  // 0: tensors have no batch dimension
  std::vector<TensorConfig> inputs;
  std::vector<TensorConfig> outputs;

  VersionPolicy version_policy;
  std::vector<InstanceGroup> instance_groups;  // empty: as many as cores
  // Nothing: calls are not batched, or as the backend sees fit.
  std::optional<DynamicBatching> dynamic_batching;
  // dynamic_batching states a queue policy and what serves the model follows
  // it: that, and no request's timeout by itself, says when one is dropped.
  bool has_queue_policy = false;
  std::vector<BatchInput> batch_inputs;
  bool response_cache = false;
  std::vector<WarmupRequest> warmups;
  std::optional<EnsembleScheduling> ensemble;
  std::string default_model_filename;
  std::map<std::string, std::string> parameters;
  std::map<std::string, std::string> metric_tags;
  // Instance i computes on cores[i modulo their number]; empty: anywhere. Set
  // by ModelLoader.
  std::vector<int> cores;

  // What config.pbtxt says, with all that is not followed. Null for a model
  // that came without one.
  std::shared_ptr<const inference::ModelConfig> source;

  // Null for a name that is none.
  const TensorConfig* FindInput(std::string_view input) const;
  const TensorConfig* FindOutput(std::string_view output) const;
  // Whether it is an ensemble that the model is a step of.
  bool HasStep(std::string_view model) const;
  // The sum of the groups' counts; 0: as many as cores.
  int num_instances() const;
  // A parameter as a number; `otherwise` when it is not there. InvalidArgument
  // when it is no number of that range.
  absl::StatusOr<int64_t> IntParameter(const std::string& key,
                                       int64_t otherwise, int64_t least,
                                       int64_t most) const;
};

// From what the servable says of itself. InvalidArgument when max_batch_size is
// negative, or positive and a tensor of the servable has no variable first
// dimension.
absl::StatusOr<ModelConfig> CompleteConfig(const std::string& name,
                                           const Servable& servable,
                                           int max_batch_size);

// The same where `config` says something already: tensors that it names have to
// be the servable's, with its datatypes and no contradicting dimensions.
// InvalidArgument names the tensor, what is configured and what the model has.
absl::Status CompleteConfig(const Servable& servable, ModelConfig& config);

// With the batch dimension.
std::vector<int64_t> WireShape(const ModelConfig& model,
                               const TensorConfig& tensor);

// The shape of one item of an input with so many elements: the only variable
// dimension follows from them. InvalidArgument when there are several.
absl::StatusOr<std::vector<int64_t>> ItemShape(const ModelConfig& model,
                                               const TensorConfig& input,
                                               int64_t num_elements);

// GET /v2/models/{model}; `versions`: those that are ready.
nlohmann::ordered_json MetadataJson(const ModelConfig& model,
                                    const std::vector<int64_t>& versions);

}  // namespace quaver
