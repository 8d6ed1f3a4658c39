// KServe's Open Inference Protocol, version 2, over HTTP, with the extensions
// of Triton's that its clients use.
//
//   KserveModels models(metrics);
//   models.Add("encoder", encoder, /*max_batch_size=*/64);
//   BodyReader bodies;
//   Router router(KserveRouterErrors());
//   RegisterKserve(router, {.server_version = "1.0"}, models, bodies);
#pragma once

#include <array>
#include <functional>
#include <string>

#include "quaver/base/status.h"
#include "quaver/net/router.h"
#include "quaver/serve/kserve_models.h"
#include "quaver/serve/model_repository.h"
#include "quaver/serve/request_body.h"

namespace quaver {

// What the server's metadata say it knows.
inline constexpr std::array<const char*, 6> kKserveExtensions = {
    "binary_tensor_data",
    "parameters",
    "statistics",
    "model_repository",
    "model_repository(unload_dependents)",
    "model_configuration"};

struct KserveConfig {
  std::string server_name = "quaver";
  std::string server_version;
  // Why requests should go elsewhere, OK when they should come. Called often
  // and from many threads. Null: always ready.
  std::function<absl::Status()> ready = nullptr;
  // Null: the models are those that the server was started with.
  ModelRepository* repository = nullptr;
};

// Adds under /v2 the server's metadata and health; metadata, readiness,
// configuration, statistics, infer and generate of each model, with and without
// a version; the repository's index, loading and unloading. Shared memory
// answers that it is not to be had. Models, repository and reader outlive the
// router.
void RegisterKserve(Router& router, const KserveConfig& config,
                    const KserveModels& models, BodyReader& bodies);

}  // namespace quaver
