// Models that make embeddings of texts, however they are asked.
//
// Such a model's first input is BYTES[B], what else it takes is optional; its
// first output is FP32[B, D]. An output TOKENS INT32[B] says how many it read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/net/http.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/internal/json_body.h"
#include "quaver/serve/kserve_models.h"

namespace quaver {

constexpr size_t kMaxEmbeddingInputs = 2048;  // of a request, as OpenAI's

// A text or texts of a request, 1 to kMaxEmbeddingInputs. InvalidArgument names
// the member `key`.
absl::StatusOr<std::vector<std::string>> ReadTexts(const JsonBody& json,
                                                   const char* key);

// The member "dimensions"; 0 where it is left out.
absl::StatusOr<int64_t> ReadDimensions(const JsonBody& json);

// NotFound for a name that is none, InvalidArgument for a model that makes no
// embeddings or, where `dimensions` is not 0, of another dimension.
absl::StatusOr<std::shared_ptr<KserveModel>> FindEmbeddingModel(
    const KserveModels& models, const std::string& name, int64_t dimensions);

// Of a model's answer, which outlives it.
struct Embeddings {
  const Tensor* rows = nullptr;   // FP32[B, D]
  std::optional<int64_t> tokens;  // of all texts, where the model says so
};

// Asks the model for a row for each of the texts. `write` makes the body,
// `write_error` the answer where there is none.
HttpResponse AskForEmbeddings(
    KserveModel& model, const HttpRequest& http,
    const std::vector<std::string>& texts,
    const std::function<std::string(const Embeddings&)>& write,
    const std::function<HttpResponse(const absl::Status&)>& write_error);

// Row b as bytes.
std::string_view EmbeddingBytes(const Tensor& rows, size_t b);
// The same as a JSON array of numbers.
void AppendEmbedding(const Tensor& rows, size_t b, std::string& json);

}  // namespace quaver
