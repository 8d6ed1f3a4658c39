// See grpc_methods.h: the models' repository.
#include <string_view>

#include "quaver/net/proto/grpc_service.pb.h"
#include "quaver/serve/internal/grpc_methods.h"

namespace quaver {
namespace {

using inference::RepositoryIndexRequest;
using inference::RepositoryIndexResponse;
using inference::RepositoryModelLoadRequest;
using inference::RepositoryModelLoadResponse;
using inference::RepositoryModelUnloadRequest;
using inference::RepositoryModelUnloadResponse;

// It looks at files, and a model may take long to load.
constexpr auto kRepository = GrpcMethod::Kind::kRepository;

template <typename Request>
absl::Status RefuseRepository(const Request& request) {
  if (request.repository_name().empty()) return absl::OkStatus();
  return absl::UnimplementedError(
      "'repository_name' specification is not supported");
}

absl::StatusOr<LoadOverride> ReadParameters(
    const RepositoryModelLoadRequest& request) {
  constexpr std::string_view kFilePrefix = "file:";
  LoadOverride with;
  for (const auto& [key, parameter] : request.parameters()) {
    if (key == "config" && parameter.has_string_param()) {
      with.config = parameter.string_param();
    } else if (key.starts_with(kFilePrefix) && parameter.has_bytes_param()) {
      with.files[key.substr(kFilePrefix.size())] = parameter.bytes_param();
    } else {
      return absl::InvalidArgumentError(
          fmt::format("unrecognized load parameter '{}', expected 'config' as "
                      "string_param or 'file:<version>/<file>' as bytes_param",
                      key));
    }
  }
  return with;
}

absl::StatusOr<bool> ReadParameters(
    const RepositoryModelUnloadRequest& request) {
  bool dependents = false;
  for (const auto& [key, parameter] : request.parameters()) {
    if (key != "unload_dependents" || !parameter.has_bool_param()) {
      return absl::InvalidArgumentError(
          fmt::format("unrecognized unload parameter '{}', expected "
                      "'unload_dependents' as bool_param",
                      key));
    }
    dependents = parameter.bool_param();
  }
  return dependents;
}

// Lets go of the request before it loads, as that takes long.
absl::Status Load(ModelRepository* repository, GrpcBodies& bodies,
                  const grpc::ByteBuffer& bytes, int64_t deadline_us) {
  LoadOverride with;
  std::string model;
  {
    ASSIGN_OR_RETURN(const GrpcBody body, bodies.Open(bytes, deadline_us));
    RepositoryModelLoadRequest request;
    RETURN_IF_ERROR(ParseMessage(body.bytes, request));
    RETURN_IF_ERROR(RefuseRepository(request));
    RETURN_IF_ERROR(CheckExplicit(repository));
    ASSIGN_OR_RETURN(with, ReadParameters(request));
    model = request.model_name();
  }
  return repository->Load(model, with);
}

void WriteIndex(const std::vector<ModelEntry>& entries, bool only_ready,
                RepositoryIndexResponse& response) {
  for (const ModelEntry& entry : entries) {
    if (only_ready && entry.state != ModelState::kReady) continue;
    auto& model = *response.add_models();
    model.set_name(entry.name);
    if (entry.version == 0) continue;
    model.set_version(fmt::to_string(entry.version));
    model.set_state(std::string(Name(entry.state)));
    model.set_reason(entry.reason);
  }
}

}  // namespace

void AddRepository(ModelRepository* repository, const KserveModels& models,
                   GrpcBodies& bodies, GrpcCalls& calls) {
  calls.Add(KservePath("RepositoryIndex"),
            MessageMethod<RepositoryIndexRequest, RepositoryIndexResponse>(
                kRepository,
                [repository, &models](const RepositoryIndexRequest& request,
                                      auto& response) -> absl::Status {
                  RETURN_IF_ERROR(RefuseRepository(request));
                  WriteIndex(repository != nullptr ? repository->Index()
                                                   : models.Index(),
                             request.ready(), response);
                  return absl::OkStatus();
                }));
  calls.Add(
      KservePath("RepositoryModelLoad"),
      {.kind = kRepository,
       .run = [repository, &bodies](const grpc::ByteBuffer& bytes,
                                    const InferCaller& caller) -> GrpcAnswer {
         absl::Status status =
             Load(repository, bodies, bytes, caller.deadline_us);
         if (!status.ok()) return {std::move(status), {}};
         return {absl::OkStatus(), WriteMessage(RepositoryModelLoadResponse())};
       }});
  calls.Add(KservePath("RepositoryModelUnload"),
            MessageMethod<RepositoryModelUnloadRequest,
                          RepositoryModelUnloadResponse>(
                kRepository,
                [repository](const RepositoryModelUnloadRequest& request,
                             auto&) -> absl::Status {
                  RETURN_IF_ERROR(RefuseRepository(request));
                  RETURN_IF_ERROR(CheckExplicit(repository));
                  ASSIGN_OR_RETURN(const bool dependents,
                                   ReadParameters(request));
                  return repository->Unload(request.model_name(), dependents);
                }));
}

}  // namespace quaver
