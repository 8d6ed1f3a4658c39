// The models of quaver serve under KServe's protocols, on ports of their own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "quaver/base/metrics.h"
#include "quaver/base/status.h"
#include "quaver/cli/http_options.h"
#include "quaver/cli/repository_options.h"
#include "quaver/cli/serve_grpc.h"
#include "quaver/net/http_server.h"
#include "quaver/net/router.h"
#include "quaver/sched/response_cache.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/kserve.h"
#include "quaver/serve/kserve_errors.h"
#include "quaver/serve/kserve_models.h"
#include "quaver/serve/model_repository.h"
#include "quaver/serve/request_body.h"

namespace quaver {

// The models of the server, by whatever protocol they are asked.
struct ServedModels {
  ServedModels(std::shared_ptr<ResponseCache> answers, Metrics& metrics)
      : cache(std::move(answers)), models(metrics) {}

  const std::shared_ptr<ResponseCache> cache;  // null: none; the last to go
  KserveModels models;
};

// Adds the program's own models, which `loaded` has by the names "encoder" and
// "corrector"; where there is a cache, behind it and single flight. Returns
// them as the rest of the program is to ask them: counted as if a client had.
absl::StatusOr<ServableRegistry> AddOwnModels(const ServableRegistry& loaded,
                                              ServedModels& served);

struct ModelServerOptions {
  HttpOptions http;
  bool access_log = false;
  bool allow_http = true;
  std::string http_address;                        // empty: that of all ports
  int http_port = 8000;                            // 0: any free one
  size_t max_input_bytes = BodyReader::kMaxBytes;  // of a request over HTTP
  std::string server_name = "quaver";
  bool test_models = false;
  int test_delay_ms = 0;
  GrpcOptions grpc;
  RepositoryOptions repository;

  bool allowed() const { return allow_http || grpc.allow; }
  const std::string& address() const {
    return http_address.empty() ? http.address : http_address;
  }
};

// All but http and access_log.
void AddModelServerOptions(CLI::App& command, ModelServerOptions& options);

// Answers from Start on; its models from the repository are ready later.
class ModelServer {
 public:
  // `ready`: why else requests should go elsewhere. Errors name the option.
  // `served` and `metrics` outlive it.
  static absl::StatusOr<std::unique_ptr<ModelServer>> Start(
      const ModelServerOptions& options, ServedModels& served,
      std::function<absl::Status()> ready, Metrics& metrics);

  // Loads what the repository is to have at the start. Blocks.
  absl::Status LoadModels();

  // Lines for people: where it answers.
  std::string Greeting() const;

  // Refuses new requests and returns when those in flight are answered, or
  // after so long.
  void Stop(int deadline_ms);

 private:
  ModelServer(const ModelServerOptions& options, KserveModels& models)
      : options_(options), models_(models), bodies_(options.max_input_bytes) {}
  absl::Status StartHttp(const KserveConfig& config, Metrics& metrics);

  const ModelServerOptions options_;
  KserveModels& models_;
  std::unique_ptr<ModelRepository> repository_;  // null: none was asked for
  BodyReader bodies_;
  Router router_{KserveRouterErrors()};
  std::unique_ptr<HttpServer> http_;  // null: not allowed
  GrpcFront grpc_;                    // without a server: not allowed
};

}  // namespace quaver
