// See kserve.h.
#include "quaver/serve/kserve.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/serve/infer_call.h"
#include "quaver/serve/kserve_errors.h"
#include "quaver/serve/kserve_generate.h"
#include "quaver/serve/kserve_repository.h"
#include "quaver/serve/kserve_response.h"
#include "quaver/serve/model_config.h"

namespace quaver {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kHeaderLength[] = "Inference-Header-Content-Length";

HttpResponse JsonResponse(const Json& json, int status = 200) {
  HttpResponse response;
  response.status = status;
  // Configurations hold what others wrote.
  response.body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

// What a route does with the model that it names.
using ModelHandler =
    std::function<HttpResponse(KserveModel&, const HttpRequest&)>;

// Digits of 63 bits, as Triton's routes know no other versions.
bool IsVersion(std::string_view text) {
  int64_t version = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, version);
  return error == std::errc() && stop == end && version >= 0;
}

// "" for none.
std::string VersionOf(const HttpRequest& request) {
  return request.segments.size() > 1 ? request.segments[1] : "";
}

// `missing_status`: of the answer when the model or its version is not there;
// 0: as the error's code says. Triton's differ from route to route.
HttpResponse WithModel(const KserveModels& models, const HttpRequest& request,
                       const ModelHandler& handler, int missing_status) {
  const std::string version = VersionOf(request);
  if (!version.empty() && !IsVersion(version)) {
    return KserveError(404, "Not Found");
  }
  const auto model = models.Find(request.segments[0], version);
  if (model.ok()) return handler(**model, request);
  if (missing_status == 0) return KserveError(model.status());
  return KserveError(missing_status, Message(model.status()));
}

// Adds /v2/models/{model}{suffix}, and the same of a version.
void AddModelRoute(Router& router, const KserveModels& models,
                   const std::string& method, const std::string& suffix,
                   const ModelHandler& handler, int missing_status = 0) {
  for (const char* prefix :
       {"/v2/models/{model}", "/v2/models/{model}/versions/{version}"}) {
    router.Add(method, prefix + suffix,
               [&models, handler, missing_status](const HttpRequest& request) {
                 return WithModel(models, request, handler, missing_status);
               });
  }
}

absl::StatusOr<InferRequest> ReadInferRequest(const ModelConfig& model,
                                              std::string_view bytes,
                                              std::string_view header) {
  size_t json_bytes = bytes.size();
  if (!header.empty()) {
    ASSIGN_OR_RETURN(json_bytes, ParseHeaderLength(header, bytes.size()));
  }
  auto request = json_bytes == 0 && !header.empty()
                     ? ParseRawRequest(bytes, model)
                     : ParseInferRequest(bytes, json_bytes, model.name);
  if (!request.ok()) return request.status();
  RETURN_IF_ERROR(FitToModel(model, *request));
  return request;
}

absl::StatusOr<HttpResponse> WriteInferAnswer(const ModelConfig& model,
                                              const InferRequest& request,
                                              const Tensors& outputs) {
  ASSIGN_OR_RETURN(InferBody body, WriteInferResponse(model, request, outputs));
  HttpResponse response;
  response.body = std::move(body.bytes);
  if (body.has_binary) {
    response.content_type = "application/octet-stream";
    response.headers.emplace_back(kHeaderLength,
                                  std::to_string(body.json_bytes));
  }
  return response;
}

HttpResponse Infer(KserveModel& model, const HttpRequest& http,
                   BodyReader& bodies) {
  std::optional<RequestBody> body;  // as long as its tensors
  InferProtocol protocol;
  protocol.read = [&]() -> absl::StatusOr<InferRequest> {
    ASSIGN_OR_RETURN(RequestBody opened, bodies.Open(http));
    body.emplace(std::move(opened));
    return ReadInferRequest(model.config, body->bytes(),
                            http.header(ToLower(kHeaderLength)));
  };
  protocol.write = [&](const InferRequest& request, const Tensors& outputs) {
    return WriteInferAnswer(model.config, request, outputs);
  };
  protocol.write_error = [](const absl::Status& status) {
    return KserveError(status);
  };
  return CallModel(model, http, protocol);
}

HttpResponse Generate(KserveModel& model, const HttpRequest& http,
                      BodyReader& bodies) {
  std::optional<RequestBody> body;
  InferProtocol protocol;
  protocol.read = [&]() -> absl::StatusOr<InferRequest> {
    ASSIGN_OR_RETURN(RequestBody opened, bodies.Open(http));
    body.emplace(std::move(opened));
    return ParseGenerateRequest(body->bytes(), model.config);
  };
  protocol.write = [&](const InferRequest& request,
                       const Tensors& outputs) -> absl::StatusOr<HttpResponse> {
    HttpResponse response;
    ASSIGN_OR_RETURN(response.body,
                     WriteGenerateResponse(model.config, request, outputs));
    return response;
  };
  protocol.write_error = [](const absl::Status& status) {
    return KserveError(status);
  };
  return CallModel(model, http, protocol);
}

void AddServerRoutes(Router& router, const KserveConfig& config) {
  const Json metadata = {{"name", config.server_name},
                         {"version", config.server_version},
                         {"extensions", kKserveExtensions}};
  router.Add("GET", "/v2",
             [metadata](const HttpRequest&) { return JsonResponse(metadata); });
  router.Add("GET", "/v2/health/live",
             [](const HttpRequest&) { return JsonResponse({{"live", true}}); });
  router.Add("GET", "/v2/health/ready",
             [ready = config.ready](const HttpRequest&) {
               const absl::Status status = ready ? ready() : absl::OkStatus();
               Json json = {{"ready", status.ok()}};
               if (!status.ok()) json["error"] = Message(status);
               return JsonResponse(json, status.ok() ? 200 : 400);
             });
}

void AddModelRoutes(Router& router, const KserveModels& models,
                    BodyReader& bodies) {
  AddModelRoute(router, models, "GET", "",
                [&models](const KserveModel& model, const HttpRequest&) {
                  return JsonResponse(MetadataJson(
                      model.config, models.Versions(model.config.name)));
                });
  AddModelRoute(
      router, models, "GET", "/ready",
      [](const KserveModel& model, const HttpRequest&) {
        return JsonResponse({{"name", model.config.name}, {"ready", true}});
      },
      400);
  AddModelRoute(router, models, "GET", "/config",
                [](const KserveModel& model, const HttpRequest&) {
                  return JsonResponse(ConfigJson(model.config));
                });
  AddModelRoute(router, models, "POST", "/infer",
                [&](KserveModel& model, const HttpRequest& request) {
                  return Infer(model, request, bodies);
                });
  AddModelRoute(router, models, "POST", "/generate",
                [&](KserveModel& model, const HttpRequest& request) {
                  return Generate(model, request, bodies);
                });
}

void AddStatistics(Router& router, const KserveModels& models) {
  const auto answer = [&models](const HttpRequest& request) {
    const std::string name =
        request.segments.empty() ? "" : request.segments[0];
    const std::string version = VersionOf(request);
    if (!version.empty() && !IsVersion(version)) {
      return KserveError(404, "Not Found");
    }
    const auto found = models.FindCounted(name, version);
    if (!found.ok()) return KserveError(found.status());
    Json stats = Json::array();
    for (const auto& model : *found) {
      stats.push_back(model->statistics.ToJson());
    }
    return JsonResponse({{"model_stats", std::move(stats)}});
  };
  for (const char* path : {"/v2/models/stats", "/v2/models/{model}/stats",
                           "/v2/models/{model}/versions/{version}/stats"}) {
    router.Add("GET", path, answer);
  }
}

void RefuseSharedMemory(Router& router) {
  const auto refuse = [](const HttpRequest&) {
    return KserveError(501, "shared memory is not supported");
  };
  for (const char* kind : {"system", "cuda"}) {
    for (const char* place : {"", "/region/{region}"}) {
      const std::string path = fmt::format("/v2/{}sharedmemory{}", kind, place);
      router.Add("GET", path + "/status", refuse);
      router.Add("POST", path + "/register", refuse);
      router.Add("POST", path + "/unregister", refuse);
    }
  }
}

}  // namespace

void RegisterKserve(Router& router, const KserveConfig& config,
                    const KserveModels& models, BodyReader& bodies) {
  AddServerRoutes(router, config);
  AddModelRoutes(router, models, bodies);
  AddStatistics(router, models);
  RegisterRepository(router, config.repository, models, bodies);
  RefuseSharedMemory(router);
  router.AddHook(EncodeResponse);
}

}  // namespace quaver
