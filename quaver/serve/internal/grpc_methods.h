// The methods of inference.GRPCInferenceService besides inference.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "quaver/base/status.h"
#include "quaver/serve/internal/grpc_bodies.h"
#include "quaver/serve/internal/grpc_calls.h"
#include "quaver/serve/internal/grpc_message.h"
#include "quaver/serve/kserve.h"
#include "quaver/serve/kserve_models.h"
#include "quaver/serve/model_repository.h"

namespace quaver {

// "/inference.GRPCInferenceService/ModelInfer".
std::string KservePath(const std::string& method);

// By name and version, "" for the newest. InvalidArgument for a version that is
// no number; else as KserveModels::Find.
absl::StatusOr<std::shared_ptr<KserveModel>> FindModel(
    const KserveModels& models, const std::string& name,
    const std::string& version);

// A method of messages, whose requests have at most kMaxQuickBytes.
template <typename Request, typename Response>
GrpcMethod MessageMethod(
    GrpcMethod::Kind kind,
    std::function<absl::Status(const Request&, Response&)> answer) {
  GrpcMethod method{.kind = kind};
  method.run = [answer = std::move(answer)](const grpc::ByteBuffer& bytes,
                                            const InferCaller&) -> GrpcAnswer {
    const auto inflated = Inflate(bytes, kMaxQuickBytes);
    if (!inflated.ok()) return {inflated.status(), {}};
    Request request;
    Response response;
    absl::Status status = CheckQuick(*inflated);
    if (status.ok()) status = ParseMessage(*inflated, request);
    if (status.ok()) status = answer(request, response);
    if (!status.ok()) return {std::move(status), {}};
    return {absl::OkStatus(), WriteMessage(response)};
  };
  return method;
}

// ServerLive, ServerReady, ServerMetadata; ModelReady, ModelMetadata,
// ModelConfig, ModelStatistics. `models` outlives the calls.
void AddDescriptions(const KserveConfig& config, const KserveModels& models,
                     GrpcCalls& calls);

// RepositoryIndex, RepositoryModelLoad, RepositoryModelUnload. A null
// repository has what the server was started with. All outlive the calls.
void AddRepository(ModelRepository* repository, const KserveModels& models,
                   GrpcBodies& bodies, GrpcCalls& calls);

// What is answered with UNIMPLEMENTED and a word on it.
void AddUnserved(GrpcCalls& calls);

}  // namespace quaver
