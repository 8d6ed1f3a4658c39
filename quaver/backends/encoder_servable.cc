// See encoder_servable.h.
#include "quaver/backends/encoder_servable.h"

#include <algorithm>
#include <utility>

#include <fmt/ranges.h>

#include "quaver/backends/tokenizers.h"

namespace quaver {
namespace {

constexpr char kText[] = "TEXT";
constexpr char kEmbedding[] = "EMBEDDING";

absl::Status CheckRequest(const Tensors& request) {
  if (request.size() != 1 || request[0].name != kText) {
    return absl::InvalidArgumentError(
        fmt::format("expected one input named {}", kText));
  }
  const Tensor& text = request[0];
  if (text.datatype != Datatype::kBytes) {
    return absl::InvalidArgumentError(
        fmt::format("input {} is not of datatype BYTES", kText));
  }
  if (text.shape.size() != 1 || text.shape[0] < 0 ||
      static_cast<size_t>(text.shape[0]) != text.strings.size()) {
    return absl::InvalidArgumentError(fmt::format(
        "input {} has shape [{}] and {} elements; expected [number of texts]",
        kText, fmt::join(text.shape, ", "), text.strings.size()));
  }
  return absl::OkStatus();
}

// All texts' tokens, one sequence after the other.
struct Sequences {
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets{0};
};

Sequences Tokenize(const WordPiece& tokenizer, int max_tokens,
                   const std::vector<std::string>& texts) {
  Sequences sequences;
  sequences.offsets.reserve(texts.size() + 1);
  for (const std::string& text : texts) {
    const std::vector<int32_t> ids = tokenizer.Encode(text, max_tokens);
    sequences.ids.insert(sequences.ids.end(), ids.begin(), ids.end());
    sequences.offsets.push_back(static_cast<uint32_t>(sequences.ids.size()));
  }
  return sequences;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EncoderServable>> EncoderServable::Create(
    const EncoderConfig& config, const Kernels& kernels) {
  if (config.num_instances < 0 || config.max_waiting < 0 ||
      config.max_tokens_per_batch < 1) {
    return absl::InvalidArgumentError(
        "EncoderConfig: num_instances or max_waiting is negative, or "
        "max_tokens_per_batch is below 1");
  }
  ASSIGN_OR_RETURN(auto model, BertModel::Load(config.model_folder, kernels));
  ASSIGN_OR_RETURN(auto tokenizer, LoadWordPiece(config.model_folder));
  if (tokenizer->vocab_size() > model->config().vocab_size) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: the tokenizer has {} tokens, config.json's vocab_size is {}",
        config.model_folder, tokenizer->vocab_size(),
        model->config().vocab_size));
  }
  return std::unique_ptr<EncoderServable>(
      new EncoderServable(config, std::move(model), std::move(tokenizer)));
}

EncoderServable::EncoderServable(const EncoderConfig& config,
                                 std::unique_ptr<const BertModel> model,
                                 std::unique_ptr<const WordPiece> tokenizer)
    : model_(std::move(model)),
      tokenizer_(std::move(tokenizer)),
      max_tokens_per_batch_(static_cast<size_t>(
          std::max(config.max_tokens_per_batch, model_->config().max_tokens))),
      pool_({config.num_instances, config.max_waiting}) {
  for (int i = 0; i < pool_.num_instances(); ++i) {
    workspaces_.emplace_back(*model_, max_tokens_per_batch_);
  }
}

std::vector<TensorSpec> EncoderServable::inputs() const {
  return {{kText, Datatype::kBytes, {-1}}};
}

std::vector<TensorSpec> EncoderServable::outputs() const {
  return {{kEmbedding, Datatype::kFp32, {-1, dimension()}}};
}

absl::StatusOr<Tensors> EncoderServable::Infer(const Tensors& request) {
  RETURN_IF_ERROR(CheckRequest(request));
  const std::vector<std::string>& texts = request[0].strings;
  const Sequences sequences =
      Tokenize(*tokenizer_, model_->config().max_tokens, texts);
  const size_t B = texts.size();
  const auto D = static_cast<size_t>(dimension());
  std::vector<float> embeddings(B * D);
  const std::span offsets(sequences.offsets);
  size_t begin = 0;
  while (begin < B) {
    size_t end = begin + 1;
    while (end < B &&
           offsets[end + 1] - offsets[begin] <= max_tokens_per_batch_) {
      ++end;
    }
    RETURN_IF_ERROR(EncodePart(
        {sequences.ids, offsets.subspan(begin, end - begin + 1)},
        std::span(embeddings).subspan(begin * D, (end - begin) * D)));
    begin = end;
  }
  const auto bytes = std::as_bytes(std::span(embeddings));
  return Tensors{{kEmbedding,
                  Datatype::kFp32,
                  {static_cast<int64_t>(B), dimension()},
                  {},
                  {bytes.begin(), bytes.end()}}};
}

absl::Status EncoderServable::EncodePart(const TokenBatch& batch,
                                         std::span<float> embeddings) {
  ASSIGN_OR_RETURN(const InstancePool::Lease lease, pool_.Acquire());
  BertWorkspace& workspace = workspaces_[static_cast<size_t>(lease.index())];
  model_->Encode(batch, workspace, embeddings);
  return absl::OkStatus();
}

}  // namespace quaver
