// POST /embed as Hugging Face's text-embeddings-inference (TEI) has it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/net/router.h"
#include "quaver/serve/kserve_models.h"
#include "quaver/serve/request_body.h"

namespace quaver {

// A TEI serves one model; ours is the one of this name.
inline constexpr char kTeiModel[] = "encoder";

struct TeiRequest {
  std::vector<std::string> texts;  // 1 to kMaxEmbeddingInputs
  int64_t dimensions = 0;          // that the client expects; 0: any
};

// {"inputs": text or texts, "truncate"?, "normalize"?, "dimensions"?}.
// InvalidArgument names the member; also for normalize false, as the model
// decides that.
absl::StatusOr<TeiRequest> ParseTeiRequest(std::string_view body);

// Adds the route. The answer is [[number...]...]. Texts are truncated whatever
// "truncate" says. Errors are {"error", "error_type"}: 422 Validation, 413 for
// a body that is too large, 429 Overloaded, 503 Unhealthy without the model,
// 424 Backend. Models and reader outlive the router.
void RegisterTeiEmbed(Router& router, const KserveModels& models,
                      BodyReader& bodies);

}  // namespace quaver
