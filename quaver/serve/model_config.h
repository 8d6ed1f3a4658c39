// config.pbtxt to a configuration and back.
//
//   ASSIGN_OR_RETURN(auto source, ParseConfigText(text, "m/config.pbtxt"));
//   ASSIGN_OR_RETURN(ModelConfig config, ReadConfig(source, "m"));
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "quaver/base/status.h"
#include "quaver/serve/kserve_model.h"

namespace quaver {

// More than any real configuration has.
inline constexpr size_t kMaxConfigBytes = 1 << 20;

// Protobuf's text format. InvalidArgument with `path`, line and column.
absl::StatusOr<inference::ModelConfig> ParseConfigText(std::string_view text,
                                                       const std::string& path);
// Protobuf's JSON, as a load request carries it. InvalidArgument.
absl::StatusOr<inference::ModelConfig> ParseConfigJson(std::string_view json);

// What the server follows, checked. `name` is the model's; the source may leave
// its own out, and most else: the backend, and inputs and outputs, which
// CompleteConfig adds. InvalidArgument names the field; Unimplemented where
// following is out of the question (GPUs, sequences, decoupled answers,
// reshapes other than to []).
//
// Ours, among the source's parameters: "adaptive_batching" true or false, for
// DynamicBatching::adaptive.
absl::StatusOr<ModelConfig> ReadConfig(const inference::ModelConfig& source,
                                       const std::string& name);

// The versions of `there` that a policy serves, ascending. NotFound when a
// specific one is missing, or there is none at all.
absl::StatusOr<std::vector<int64_t>> VersionsToServe(
    const VersionPolicy& policy, const std::vector<int64_t>& there);

// The whole configuration, completed: gRPC's ModelConfig.
inference::ModelConfig ConfigProto(const ModelConfig& config);
// GET /v2/models/{model}/config: the same as protobuf's JSON with the fields'
// own names, with all fields but absent messages, and 64-bit integers as
// numbers, as Triton writes it.
nlohmann::ordered_json ConfigJson(const ModelConfig& config);

}  // namespace quaver
