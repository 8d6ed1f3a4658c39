// OpenAI's POST /v1/embeddings over models that make embeddings of texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/net/router.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/kserve_models.h"
#include "quaver/serve/request_body.h"

namespace quaver {

constexpr size_t kMaxEmbeddingInputs = 2048;  // of a request, as OpenAI's

struct EmbeddingRequest {
  std::string model;
  std::vector<std::string> texts;  // 1 to kMaxEmbeddingInputs
  bool is_base64 = false;          // little-endian floats instead of numbers
  int64_t dimensions = 0;          // that the client expects; 0: any
};

// InvalidArgument names the member. Inputs are a text or texts; token ids are
// refused.
absl::StatusOr<EmbeddingRequest> ParseEmbeddingRequest(std::string_view body);

// {"object": "list", "data": [{"object": "embedding", "index", "embedding"}],
// "model"}. `embeddings`: FP32[B, D]. No "usage": a servable counts no tokens.
std::string WriteEmbeddings(const EmbeddingRequest& request,
                            const Tensor& embeddings);

// RFC 4648, padded.
std::string Base64(std::string_view bytes);

// Adds the route. Errors have OpenAI's shape, {"error": {"message", "type",
// "param", "code"}}. Models and reader outlive the router.
void RegisterEmbeddings(Router& router, const KserveModels& models,
                        BodyReader& bodies);

}  // namespace quaver
