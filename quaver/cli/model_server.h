// The models of quaver serve under KServe's protocols, on ports of their own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "quaver/base/metrics.h"
#include "quaver/base/status.h"
#include "quaver/cli/http_options.h"
#include "quaver/cli/repository_options.h"
#include "quaver/cli/serve_grpc.h"
#include "quaver/net/http_server.h"
#include "quaver/net/router.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/kserve.h"
#include "quaver/serve/kserve_errors.h"
#include "quaver/serve/kserve_models.h"
#include "quaver/serve/model_repository.h"
#include "quaver/serve/request_body.h"

namespace quaver {

struct ModelServerOptions {
  HttpOptions http;
  bool access_log = false;
  bool allow_http = true;
  int http_port = 8000;  // 0: any free one
  std::string server_name = "quaver";
  bool test_models = false;
  int test_delay_ms = 0;
  GrpcOptions grpc;
  RepositoryOptions repository;

  bool allowed() const { return allow_http || grpc.allow; }
};

// All but http and access_log.
void AddModelServerOptions(CLI::App& command, ModelServerOptions& options);

// Answers from Start on; its models from the repository are ready later.
class ModelServer {
 public:
  // With the program's own models that `servables` has. `ready`: why else
  // requests should go elsewhere. Errors name the option. `metrics` outlives
  // it.
  static absl::StatusOr<std::unique_ptr<ModelServer>> Start(
      const ModelServerOptions& options, const ServableRegistry& servables,
      std::function<absl::Status()> ready, Metrics& metrics);

  // Loads what the repository is to have at the start. Blocks.
  absl::Status LoadModels();

  // Lines for people: where it answers.
  std::string Greeting() const;

  // Refuses new requests and returns when those in flight are answered, or
  // after so long.
  void Stop(int deadline_ms);

 private:
  ModelServer(const ModelServerOptions& options, Metrics& metrics)
      : options_(options), models_(metrics) {}
  absl::Status AddModels(const ServableRegistry& servables);
  absl::Status StartHttp(const KserveConfig& config, Metrics& metrics);

  const ModelServerOptions options_;
  KserveModels models_;
  std::unique_ptr<ModelRepository> repository_;  // null: none was asked for
  BodyReader bodies_;
  Router router_{KserveRouterErrors()};
  std::unique_ptr<HttpServer> http_;  // null: not allowed
  GrpcFront grpc_;                    // without a server: not allowed
};

}  // namespace quaver
