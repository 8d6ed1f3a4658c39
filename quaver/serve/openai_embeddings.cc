// See openai_embeddings.h.
#include "quaver/serve/openai_embeddings.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/serve/internal/embedding_model.h"
#include "quaver/serve/internal/json_body.h"
#include "quaver/serve/internal/tensor_data.h"
#include "quaver/serve/kserve_errors.h"

namespace quaver {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

HttpResponse OpenAiError(const absl::Status& status) {
  HttpResponse response = KserveError(status);
  const char* type =
      response.status < 500 ? "invalid_request_error" : "server_error";
  response.body =
      nlohmann::ordered_json({{"error",
                               {{"message", Message(status)},
                                {"type", type},
                                {"param", nullptr},
                                {"code", nullptr}}}})
          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

HttpResponse Embed(const KserveModels& models, BodyReader& bodies,
                   const HttpRequest& http) {
  const auto body = bodies.Open(http);
  if (!body.ok()) return OpenAiError(body.status());
  const auto request = ParseEmbeddingRequest(body->bytes());
  if (!request.ok()) return OpenAiError(request.status());
  const auto model =
      FindEmbeddingModel(models, request->model, request->dimensions);
  if (!model.ok()) return OpenAiError(model.status());
  const auto write = [&](const Embeddings& embeddings) {
    return WriteEmbeddings(*request, *embeddings.rows, embeddings.tokens);
  };
  return AskForEmbeddings(**model, http, request->texts, write, OpenAiError);
}

}  // namespace

absl::StatusOr<EmbeddingRequest> ParseEmbeddingRequest(std::string_view body) {
  JsonBody json;
  RETURN_IF_ERROR(json.Parse(body));
  EmbeddingRequest request;
  ASSIGN_OR_RETURN(const std::string_view model,
                   NeededMember<std::string_view>(json.root(), "model"));
  request.model = std::string(model);
  ASSIGN_OR_RETURN(request.texts, ReadTexts(json, "input"));
  ASSIGN_OR_RETURN(
      const std::string_view format,
      MemberOr<std::string_view>(json.root(), "encoding_format", "float"));
  if (format != "float" && format != "base64") {
    return absl::InvalidArgumentError(
        fmt::format("Unable to parse 'encoding_format': it has to be float or "
                    "base64, not \"{}\"",
                    format));
  }
  request.is_base64 = format == "base64";
  ASSIGN_OR_RETURN(request.dimensions, ReadDimensions(json));
  return request;
}

std::string WriteEmbeddings(const EmbeddingRequest& request,
                            const Tensor& embeddings,
                            std::optional<int64_t> tokens) {
  std::string json = R"({"object":"list","data":[)";
  for (size_t i = 0; i < request.texts.size(); ++i) {
    if (i > 0) json += ',';
    json += fmt::format(R"({{"object":"embedding","index":{},"embedding":)", i);
    if (request.is_base64) {
      json += '"' + Base64(EmbeddingBytes(embeddings, i)) + '"';
    } else {
      AppendEmbedding(embeddings, i, json);
    }
    json += '}';
  }
  json += R"(],"model":)";
  AppendJsonString(request.model, json);
  if (tokens) {
    json += fmt::format(
        R"(,"usage":{{"prompt_tokens":{0},"total_tokens":{0}}})", *tokens);
  }
  json += '}';
  return json;
}

std::string Base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = i; j < i + 3; ++j) {
      group <<= 8;
      if (j < bytes.size()) group |= static_cast<uint8_t>(bytes[j]);
    }
    const size_t num_bytes = std::min<size_t>(3, bytes.size() - i);
    for (size_t digit = 0; digit < 4; ++digit) {
      const uint32_t index = (group >> (18 - 6 * digit)) & 63;
      text += digit <= num_bytes ? kDigits[index] : '=';
    }
  }
  return text;
}

void RegisterEmbeddings(Router& router, const KserveModels& models,
                        BodyReader& bodies) {
  router.Add("POST", "/v1/embeddings", [&](const HttpRequest& request) {
    return Embed(models, bodies, request);
  });
}

}  // namespace quaver
