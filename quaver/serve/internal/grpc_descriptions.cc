// See grpc_methods.h: what the server and its models say of themselves.
#include <charconv>
#include <vector>

#include <google/protobuf/util/json_util.h>
#include <nlohmann/json.hpp>

#include "quaver/base/check.h"
#include "quaver/net/proto/grpc_service.pb.h"
#include "quaver/serve/internal/grpc_methods.h"
#include "quaver/serve/model_config.h"

namespace quaver {
namespace {

using ModelPtr = std::shared_ptr<KserveModel>;
constexpr auto kQuick = GrpcMethod::Kind::kQuick;

// What HTTP answers is protobuf's JSON of the same message.
void ReadJson(const nlohmann::ordered_json& json,
              google::protobuf::Message& message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto status = google::protobuf::util::JsonStringToMessage(
      json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
      &message, options);
  QUAVER_CHECK(status.ok());
}

// A quick method that answers about the model of its request.
template <typename Request, typename Response>
GrpcMethod ModelMethod(
    const KserveModels& models,
    std::function<void(const KserveModel&, Response&)> answer) {
  return MessageMethod<Request, Response>(
      kQuick, [&models, answer = std::move(answer)](const Request& request,
                                                    Response& response) {
        const auto model = FindModel(models, request.name(), request.version());
        if (model.ok()) answer(**model, response);
        return model.status();
      });
}

// Digits of 63 bits, or nothing.
absl::Status CheckVersion(const std::string& version) {
  if (version.empty()) return absl::OkStatus();
  int64_t number = 0;
  const char* end = version.data() + version.size();
  const auto [stop, error] = std::from_chars(version.data(), end, number);
  if (error == std::errc() && stop == end && number >= 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      fmt::format("failed to get model version from specified version string "
                  "'{}': version should be an integral value > 0",
                  version));
}

absl::StatusOr<std::vector<ModelPtr>> FindModels(
    const KserveModels& models,
    const inference::ModelStatisticsRequest& request) {
  if (request.name().empty()) return models.All();
  RETURN_IF_ERROR(CheckVersion(request.version()));
  return models.FindCounted(request.name(), request.version());
}

void AddServer(const KserveConfig& config, GrpcCalls& calls) {
  using inference::ServerLiveRequest;
  using inference::ServerLiveResponse;
  using inference::ServerMetadataRequest;
  using inference::ServerMetadataResponse;
  using inference::ServerReadyRequest;
  using inference::ServerReadyResponse;
  calls.Add(KservePath("ServerLive"),
            MessageMethod<ServerLiveRequest, ServerLiveResponse>(
                kQuick, [](const auto&, ServerLiveResponse& response) {
                  response.set_live(true);
                  return absl::OkStatus();
                }));
  calls.Add(KservePath("ServerReady"),
            MessageMethod<ServerReadyRequest, ServerReadyResponse>(
                kQuick, [ready = config.ready](const auto&,
                                               ServerReadyResponse& response) {
                  response.set_ready(!ready || ready().ok());
                  return absl::OkStatus();
                }));
  ServerMetadataResponse metadata;
  metadata.set_name(config.server_name);
  metadata.set_version(config.server_version);
  for (const char* extension : kKserveExtensions) {
    metadata.add_extensions(extension);
  }
  calls.Add(
      KservePath("ServerMetadata"),
      MessageMethod<ServerMetadataRequest, ServerMetadataResponse>(
          kQuick, [metadata](const auto&, ServerMetadataResponse& response) {
            response = metadata;
            return absl::OkStatus();
          }));
}

}  // namespace

std::string KservePath(const std::string& method) {
  return "/inference.GRPCInferenceService/" + method;
}

absl::StatusOr<ModelPtr> FindModel(const KserveModels& models,
                                   const std::string& name,
                                   const std::string& version) {
  RETURN_IF_ERROR(CheckVersion(version));
  return models.Find(name, version);
}

void AddDescriptions(const KserveConfig& config, const KserveModels& models,
                     GrpcCalls& calls) {
  using inference::ModelConfigRequest;
  using inference::ModelConfigResponse;
  using inference::ModelMetadataRequest;
  using inference::ModelMetadataResponse;
  using inference::ModelReadyRequest;
  using inference::ModelReadyResponse;
  using inference::ModelStatisticsRequest;
  using inference::ModelStatisticsResponse;
  AddServer(config, calls);
  calls.Add(KservePath("ModelReady"),
            MessageMethod<ModelReadyRequest, ModelReadyResponse>(
                kQuick, [&models](const ModelReadyRequest& request,
                                  ModelReadyResponse& response) {
                  RETURN_IF_ERROR(CheckVersion(request.version()));
                  response.set_ready(
                      models.Find(request.name(), request.version()).ok());
                  return absl::OkStatus();
                }));
  calls.Add(KservePath("ModelMetadata"),
            ModelMethod<ModelMetadataRequest, ModelMetadataResponse>(
                models, [&models](const KserveModel& model, auto& response) {
                  ReadJson(MetadataJson(model.config,
                                        models.Versions(model.config.name)),
                           response);
                }));
  calls.Add(KservePath("ModelConfig"),
            ModelMethod<ModelConfigRequest, ModelConfigResponse>(
                models, [](const KserveModel& model, auto& response) {
                  *response.mutable_config() = ConfigProto(model.config);
                }));
  calls.Add(
      KservePath("ModelStatistics"),
      MessageMethod<ModelStatisticsRequest, ModelStatisticsResponse>(
          kQuick,
          [&models](const ModelStatisticsRequest& request,
                    ModelStatisticsResponse& response) -> absl::Status {
            ASSIGN_OR_RETURN(const auto found, FindModels(models, request));
            for (const ModelPtr& model : found) {
              ReadJson(model->statistics.ToJson(), *response.add_model_stats());
            }
            return absl::OkStatus();
          }));
}

void AddUnserved(GrpcCalls& calls) {
  const auto add = [&](const char* method, const char* what) {
    calls.Add(KservePath(method),
              {.kind = kQuick,
               .run = [what](const grpc::ByteBuffer&,
                             const InferCaller&) -> GrpcAnswer {
                 return {absl::UnimplementedError(what), {}};
               }});
  };
  for (const char* method :
       {"SystemSharedMemoryStatus", "SystemSharedMemoryRegister",
        "SystemSharedMemoryUnregister", "CudaSharedMemoryStatus",
        "CudaSharedMemoryRegister", "CudaSharedMemoryUnregister"}) {
    add(method, "shared memory is not supported");
  }
  add("TraceSetting", "trace settings are not supported");
  add("LogSettings", "log settings are not supported");
}

}  // namespace quaver
