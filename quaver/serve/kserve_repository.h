// Triton's repository routes over HTTP: what is there, load, unload.
#pragma once

#include "quaver/net/router.h"
#include "quaver/serve/kserve_models.h"
#include "quaver/serve/model_repository.h"
#include "quaver/serve/request_body.h"

namespace quaver {

// The body of a load request: parameters "config" and "file:<version>/<file>",
// the latter in base64. InvalidArgument names the parameter.
absl::StatusOr<LoadOverride> ParseLoadBody(std::string_view body);

// Adds POST /v2/repository/index, .../models/{model}/load and .../unload, and
// the same under /v2/repository/{repository}, which are refused as there.
// Without a repository (null) loading and unloading are refused. All outlive
// the router.
void RegisterRepository(Router& router, ModelRepository* repository,
                        const KserveModels& models, BodyReader& bodies);

}  // namespace quaver
