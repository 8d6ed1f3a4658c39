// OpenAI's POST /v1/embeddings over models that make embeddings of texts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/net/router.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/kserve_models.h"
#include "quaver/serve/request_body.h"

namespace quaver {

struct EmbeddingRequest {
  std::string model;
  std::vector<std::string> texts;  // 1 to 2,048, as OpenAI's
  bool is_base64 = false;          // little-endian floats instead of numbers
  int64_t dimensions = 0;          // that the client expects; 0: any
};

// InvalidArgument names the member. Inputs are a text or texts; token ids are
// refused.
absl::StatusOr<EmbeddingRequest> ParseEmbeddingRequest(std::string_view body);

// {"object": "list", "data": [{"object": "embedding", "index", "embedding"}],
// "model", "usage"?: {"prompt_tokens", "total_tokens"}}. `embeddings`: FP32[B,
// D]. `tokens`: of all texts, where the model counts them.
std::string WriteEmbeddings(const EmbeddingRequest& request,
                            const Tensor& embeddings,
                            std::optional<int64_t> tokens = {});

// RFC 4648, padded.
std::string Base64(std::string_view bytes);

// Adds the route. Errors have OpenAI's shape, {"error": {"message", "type",
// "param", "code"}}. Models and reader outlive the router.
void RegisterEmbeddings(Router& router, const KserveModels& models,
                        BodyReader& bodies);

}  // namespace quaver
