// KServe's Open Inference Protocol, version 2, over HTTP, with the extensions
// of Triton's that its clients use.
//
//   KserveModels models(metrics);
//   models.Add("encoder", encoder, /*max_batch_size=*/64);
//   BodyReader bodies;
//   Router router(KserveRouterErrors());
//   RegisterKserve(router, {.server_version = "1.0"}, models, bodies);
#pragma once

#include <functional>
#include <string>

#include "quaver/base/status.h"
#include "quaver/net/router.h"
#include "quaver/serve/kserve_models.h"
#include "quaver/serve/request_body.h"

namespace quaver {

struct KserveConfig {
  std::string server_name = "quaver";
  std::string server_version;
  // Why requests should go elsewhere, OK when they should come. Called often
  // and from many threads. Null: always ready.
  std::function<absl::Status()> ready = nullptr;
};

// Adds under /v2 the server's metadata and health; metadata, readiness,
// configuration, statistics, infer and generate of each model, with and without
// a version; the repository's index. Loading and unloading, and shared memory,
// answer that they are not to be had. Models and reader outlive the router.
void RegisterKserve(Router& router, const KserveConfig& config,
                    const KserveModels& models, BodyReader& bodies);

}  // namespace quaver
