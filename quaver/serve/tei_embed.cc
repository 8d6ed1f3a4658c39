// See tei_embed.h.
#include "quaver/serve/tei_embed.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/serve/internal/embedding_model.h"

namespace quaver {
namespace {

struct TeiError {
  int status;
  const char* type;
};

TeiError ErrorOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kUnimplemented:
      return {422, "Validation"};
    case absl::StatusCode::kOutOfRange:
      return {413, "Validation"};
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return {429, "Overloaded"};
    case absl::StatusCode::kNotFound:
      return {503, "Unhealthy"};
    default:
      return {424, "Backend"};
  }
}

HttpResponse ErrorAnswer(const absl::Status& status) {
  const TeiError error = ErrorOf(status.code());
  HttpResponse response;
  response.status = error.status;
  if (error.status == 429 || error.status == 503) {
    response.headers.emplace_back("Retry-After", "1");
  }
  response.body =
      nlohmann::ordered_json(
          {{"error", Message(status)}, {"error_type", error.type}})
          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return response;
}

HttpResponse Embed(const KserveModels& models, BodyReader& bodies,
                   const HttpRequest& http) {
  const auto body = bodies.Open(http);
  if (!body.ok()) return ErrorAnswer(body.status());
  const auto request = ParseTeiRequest(body->bytes());
  if (!request.ok()) return ErrorAnswer(request.status());
  const auto model = FindEmbeddingModel(models, kTeiModel, request->dimensions);
  if (!model.ok()) return ErrorAnswer(model.status());
  const auto write = [&](const Embeddings& embeddings) {
    std::string body;
    for (size_t b = 0; b < request->texts.size(); ++b) {
      body += b == 0 ? '[' : ',';
      AppendEmbedding(*embeddings.rows, b, body);
    }
    return body + ']';
  };
  return AskForEmbeddings(**model, http, request->texts, write, ErrorAnswer);
}

}  // namespace

absl::StatusOr<TeiRequest> ParseTeiRequest(std::string_view body) {
  JsonBody json;
  RETURN_IF_ERROR(json.Parse(body));
  TeiRequest request;
  ASSIGN_OR_RETURN(request.texts, ReadTexts(json, "inputs"));
  RETURN_IF_ERROR(OptionalMember<bool>(json.root(), "truncate").status());
  ASSIGN_OR_RETURN(const bool normalize,
                   MemberOr(json.root(), "normalize", true));
  if (!normalize) {
    return absl::InvalidArgumentError(
        "Unable to parse 'normalize': whether embeddings are normalised is the "
        "model's; leave it out");
  }
  ASSIGN_OR_RETURN(request.dimensions, ReadDimensions(json));
  return request;
}

void RegisterTeiEmbed(Router& router, const KserveModels& models,
                      BodyReader& bodies) {
  router.Add("POST", "/embed", [&](const HttpRequest& request) {
    return Embed(models, bodies, request);
  });
}

}  // namespace quaver
