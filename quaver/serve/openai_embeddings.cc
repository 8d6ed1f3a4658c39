// See openai_embeddings.h.
#include "quaver/serve/openai_embeddings.h"

#include <cstring>
#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/serve/infer_call.h"
#include "quaver/serve/internal/json_body.h"
#include "quaver/serve/internal/tensor_data.h"
#include "quaver/serve/kserve_errors.h"

namespace quaver {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

absl::StatusOr<std::vector<std::string>> ReadTexts(const dom::element& input) {
  const auto refuse = [](const char* why) {
    return absl::InvalidArgumentError(
        fmt::format("Unable to parse 'input': {}", why));
  };
  std::vector<std::string> texts;
  std::string_view text;
  if (input.get(text) == simdjson::SUCCESS) {
    texts.emplace_back(text);
    return texts;
  }
  dom::array array;
  if (input.get(array) != simdjson::SUCCESS) {
    return refuse("it has to be a string or an array of strings");
  }
  for (const dom::element element : array) {
    if (element.get(text) != simdjson::SUCCESS) {
      return refuse("its elements have to be strings; token ids are not taken");
    }
    if (texts.size() == kMaxEmbeddingInputs) return refuse("it is too long");
    texts.emplace_back(text);
  }
  if (texts.empty()) return refuse("it is empty");
  return texts;
}

// A model that takes texts and gives a row of numbers for each.
bool MakesEmbeddings(const Servable& servable) {
  const auto inputs = servable.inputs();
  const auto outputs = servable.outputs();
  return inputs.size() == 1 && inputs[0].datatype == Datatype::kBytes &&
         inputs[0].shape == std::vector<int64_t>{-1} && outputs.size() == 1 &&
         outputs[0].datatype == Datatype::kFp32 &&
         outputs[0].shape.size() == 2 && outputs[0].shape[0] == -1 &&
         outputs[0].shape[1] > 0;
}

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

absl::StatusOr<KserveModel*> FindModel(const KserveModels& models,
                                       const EmbeddingRequest& request) {
  auto model = models.Find(request.model);
  if (!model.ok()) {
    return absl::NotFoundError(
        fmt::format("The model '{}' does not exist", request.model));
  }
  const Servable& servable = *(*model)->servable;
  if (!MakesEmbeddings(servable)) {
    return absl::InvalidArgumentError(
        fmt::format("The model '{}' makes no embeddings", request.model));
  }
  const int64_t dimensions = servable.outputs()[0].shape[1];
  if (request.dimensions != 0 && request.dimensions != dimensions) {
    return absl::InvalidArgumentError(
        fmt::format("Unable to parse 'dimensions': the embeddings of '{}' have "
                    "{}, not {}",
                    request.model, dimensions, request.dimensions));
  }
  return model;
}

InferRequest ToInferRequest(const KserveModel& model,
                            const std::vector<std::string>& texts) {
  InferRequest infer;
  infer.batch_size = static_cast<int64_t>(texts.size());
  infer.inputs.push_back({.name = model.config.inputs[0].name,
                          .datatype = Datatype::kBytes,
                          .shape = {infer.batch_size},
                          .strings = texts,
                          .raw = {}});
  return infer;
}

HttpResponse Embed(const KserveModels& models, BodyReader& bodies,
                   const HttpRequest& http) {
  const auto body = bodies.Open(http);
  if (!body.ok()) return OpenAiError(body.status());
  const auto request = ParseEmbeddingRequest(body->bytes());
  if (!request.ok()) return OpenAiError(request.status());
  const auto model = FindModel(models, *request);
  if (!model.ok()) return OpenAiError(model.status());
  InferProtocol protocol;
  protocol.read = [&]() -> absl::StatusOr<InferRequest> {
    return ToInferRequest(**model, request->texts);
  };
  protocol.write = [&](const InferRequest&,
                       const Tensors& outputs) -> absl::StatusOr<HttpResponse> {
    HttpResponse response;
    response.body = WriteEmbeddings(*request, outputs[0]);
    return response;
  };
  protocol.write_error = OpenAiError;
  return CallModel(**model, http, protocol);
}

}  // namespace

absl::StatusOr<EmbeddingRequest> ParseEmbeddingRequest(std::string_view body) {
  JsonBody json;
  RETURN_IF_ERROR(json.Parse(body));
  EmbeddingRequest request;
  ASSIGN_OR_RETURN(const std::string_view model,
                   NeededMember<std::string_view>(json.root(), "model"));
  request.model = std::string(model);
  ASSIGN_OR_RETURN(const dom::element input,
                   NeededMember<dom::element>(json.root(), "input"));
  ASSIGN_OR_RETURN(request.texts, ReadTexts(input));
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
  ASSIGN_OR_RETURN(const auto dimensions,
                   OptionalMember<int64_t>(json.root(), "dimensions"));
  if (dimensions && *dimensions < 1) {
    return absl::InvalidArgumentError(
        "Unable to parse 'dimensions': it has to be above 0");
  }
  request.dimensions = dimensions.value_or(0);
  return request;
}

std::string WriteEmbeddings(const EmbeddingRequest& request,
                            const Tensor& embeddings) {
  const size_t num_texts = request.texts.size();
  const size_t row_bytes = embeddings.raw.size() / num_texts;
  std::string json = R"({"object":"list","data":[)";
  for (size_t i = 0; i < num_texts; ++i) {
    if (i > 0) json += ',';
    json += fmt::format(R"({{"object":"embedding","index":{},"embedding":)", i);
    const std::byte* begin = embeddings.raw.data() + i * row_bytes;
    if (request.is_base64) {
      const std::string_view bytes(reinterpret_cast<const char*>(begin),
                                   row_bytes);
      json += '"' + Base64(bytes) + '"';
    } else {
      Tensor row;
      row.datatype = Datatype::kFp32;
      row.raw.assign(begin, begin + row_bytes);
      AppendJsonData(row, json).IgnoreError();  // numbers have a form in JSON
    }
    json += '}';
  }
  json += R"(],"model":)";
  AppendJsonString(request.model, json);
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
