// See embedding_model.h.
#include "quaver/serve/internal/embedding_model.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "quaver/sched/tensors.h"
#include "quaver/serve/infer_call.h"
#include "quaver/serve/internal/tensor_data.h"

namespace quaver {
namespace {

bool MakesEmbeddings(const std::vector<TensorSpec>& inputs,
                     const std::vector<TensorSpec>& outputs) {
  return !inputs.empty() && inputs[0].datatype == Datatype::kBytes &&
         inputs[0].shape == std::vector<int64_t>{-1} &&
         std::all_of(inputs.begin() + 1, inputs.end(),
                     [](const TensorSpec& input) { return input.optional; }) &&
         !outputs.empty() && outputs[0].datatype == Datatype::kFp32 &&
         outputs[0].shape.size() == 2 && outputs[0].shape[0] == -1 &&
         outputs[0].shape[1] > 0;
}

InferRequest RequestOf(const KserveModel& model,
                       const std::vector<std::string>& texts) {
  InferRequest infer;
  infer.batch_size = static_cast<int64_t>(texts.size());
  infer.inputs.push_back({.name = model.servable->inputs()[0].name,
                          .datatype = Datatype::kBytes,
                          .shape = {infer.batch_size},
                          .strings = texts,
                          .raw = {}});
  return infer;
}

// Internal unless the model answered a row for each of the texts.
absl::StatusOr<Embeddings> ReadEmbeddings(const Tensors& outputs,
                                          size_t num_texts) {
  const auto B = static_cast<int64_t>(num_texts);
  if (outputs.empty() || outputs[0].datatype != Datatype::kFp32 ||
      outputs[0].shape.size() != 2 || outputs[0].shape[0] != B ||
      outputs[0].raw.size() != num_texts *
                                   static_cast<size_t>(outputs[0].shape[1]) *
                                   sizeof(float)) {
    return absl::InternalError("the model did not answer a row for each text");
  }
  Embeddings embeddings;
  const Tensor* tokens = FindTensor(outputs, "TOKENS");
  if (tokens != nullptr && tokens->datatype == Datatype::kInt32) {
    const std::vector<int32_t> counts = ValuesOf<int32_t>(*tokens);
    embeddings.tokens =
        std::accumulate(counts.begin(), counts.end(), int64_t{0});
  }
  embeddings.rows = &outputs[0];
  return embeddings;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ReadTexts(const JsonBody& json,
                                                   const char* key) {
  namespace dom = simdjson::dom;
  ASSIGN_OR_RETURN(const auto input,
                   NeededMember<dom::element>(json.root(), key));
  const auto refuse = [key](const char* why) {
    return absl::InvalidArgumentError(
        fmt::format("Unable to parse '{}': {}", key, why));
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

absl::StatusOr<int64_t> ReadDimensions(const JsonBody& json) {
  ASSIGN_OR_RETURN(const auto dimensions,
                   OptionalMember<int64_t>(json.root(), "dimensions"));
  if (!dimensions || *dimensions >= 1) return dimensions.value_or(0);
  return absl::InvalidArgumentError(
      "Unable to parse 'dimensions': it has to be above 0");
}

absl::StatusOr<std::shared_ptr<KserveModel>> FindEmbeddingModel(
    const KserveModels& models, const std::string& name, int64_t dimensions) {
  auto model = models.Find(name);
  if (!model.ok()) {
    return absl::NotFoundError(
        fmt::format("The model '{}' does not exist", name));
  }
  const Servable& servable = *(*model)->servable;
  const std::vector<TensorSpec> outputs = servable.outputs();
  if (!MakesEmbeddings(servable.inputs(), outputs)) {
    return absl::InvalidArgumentError(
        fmt::format("The model '{}' makes no embeddings", name));
  }
  if (dimensions != 0 && dimensions != outputs[0].shape[1]) {
    return absl::InvalidArgumentError(
        fmt::format("Unable to parse 'dimensions': the embeddings of '{}' have "
                    "{}, not {}",
                    name, outputs[0].shape[1], dimensions));
  }
  return model;
}

HttpResponse AskForEmbeddings(
    KserveModel& model, const HttpRequest& http,
    const std::vector<std::string>& texts,
    const std::function<std::string(const Embeddings&)>& write,
    const std::function<HttpResponse(const absl::Status&)>& write_error) {
  InferProtocol protocol;
  protocol.read = [&]() -> absl::StatusOr<InferRequest> {
    return RequestOf(model, texts);
  };
  protocol.write = [&](const InferRequest&,
                       const Tensors& outputs) -> absl::StatusOr<HttpResponse> {
    ASSIGN_OR_RETURN(const Embeddings embeddings,
                     ReadEmbeddings(outputs, texts.size()));
    HttpResponse response;
    response.body = write(embeddings);
    return response;
  };
  protocol.write_error = write_error;
  return CallModel(model, http, protocol);
}

std::string_view EmbeddingBytes(const Tensor& rows, size_t b) {
  const size_t size = static_cast<size_t>(rows.shape[1]) * sizeof(float);
  return {reinterpret_cast<const char*>(rows.raw.data()) + b * size, size};
}

void AppendEmbedding(const Tensor& rows, size_t b, std::string& json) {
  const auto bytes = std::as_bytes(std::span(EmbeddingBytes(rows, b)));
  Tensor row;
  row.datatype = Datatype::kFp32;
  row.raw.assign(bytes.begin(), bytes.end());
  AppendJsonData(row, json).IgnoreError();  // numbers have a form in JSON
}

}  // namespace quaver
