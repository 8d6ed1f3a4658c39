// See encoder_servable.h.
#include "quaver/backends/encoder_servable.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/ranges.h>

#include "quaver/backends/tokenizers.h"
#include "quaver/base/workers.h"

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

struct EncoderServable::Part : BatchItem {
  TokenBatch sequences;
  std::span<float> embeddings;  // [size, D]
};

struct EncoderServable::Instance {
  BertWorkspace workspace;
  // Of a merged batch, one sequence after the other.
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets;
  std::vector<float> embeddings;  // [B, D]
};

EncoderServable::~EncoderServable() = default;

absl::StatusOr<std::unique_ptr<EncoderServable>> EncoderServable::Create(
    const EncoderConfig& config, const Kernels& kernels) {
  if (config.max_tokens_per_batch < 1 ||
      std::any_of(
          config.cores.begin(), config.cores.end(),
          [](int core) { return core < 0; })) {
    return absl::InvalidArgumentError(
        "EncoderConfig: max_tokens_per_batch is below 1 or a core is negative");
  }
  ASSIGN_OR_RETURN(auto model, BertModel::Load(config.model_folder, kernels));
  ASSIGN_OR_RETURN(auto tokenizer, LoadWordPiece(config.model_folder));
  if (tokenizer->vocab_size() > model->config().vocab_size) {
    return absl::InvalidArgumentError(fmt::format(
        "{}: the tokenizer has {} tokens, config.json's vocab_size is {}",
        config.model_folder, tokenizer->vocab_size(),
        model->config().vocab_size));
  }
  auto servable = std::unique_ptr<EncoderServable>(
      new EncoderServable(config, std::move(model), std::move(tokenizer)));
  ASSIGN_OR_RETURN(
      servable->batcher_,
      Batcher::Create({.num_instances = config.num_instances,
                       .max_batch_size = config.max_batch_size,
                       .max_batch_tokens = static_cast<int64_t>(
                           servable->max_tokens_per_batch_),
                       .batching = config.batching},
                      [own = servable.get()](
                          int instance, std::span<BatchItem* const> batch) {
                        own->EncodeBatch(instance, batch);
                      }));
  for (int i = 0; i < servable->num_instances(); ++i) {
    servable->instances_.push_back(
        {.workspace = BertWorkspace(*servable->model_,
                                    servable->max_tokens_per_batch_)});
  }
  return servable;
}

EncoderServable::EncoderServable(const EncoderConfig& config,
                                 std::unique_ptr<const BertModel> model,
                                 std::unique_ptr<const WordPiece> tokenizer)
    : model_(std::move(model)),
      tokenizer_(std::move(tokenizer)),
      max_tokens_per_batch_(static_cast<size_t>(
          std::max(config.max_tokens_per_batch, model_->config().max_tokens))),
      max_batch_size_(static_cast<size_t>(std::max(0, config.max_batch_size))),
      cores_(config.cores) {}

std::vector<TensorSpec> EncoderServable::inputs() const {
  return {{kText, Datatype::kBytes, {-1}}};
}

std::vector<TensorSpec> EncoderServable::outputs() const {
  return {{kEmbedding, Datatype::kFp32, {-1, dimension()}}};
}

absl::StatusOr<Tensors> EncoderServable::Infer(const Tensors& request) {
  return Infer(request, CallOptions(), nullptr);
}

absl::StatusOr<Tensors> EncoderServable::Infer(const Tensors& request,
                                               const CallOptions& options,
                                               CallTimes* times) {
  RETURN_IF_ERROR(CheckRequest(request));
  const std::vector<std::string>& texts = request[0].strings;
  const Sequences sequences =
      Tokenize(*tokenizer_, model_->config().max_tokens, texts);
  const size_t B = texts.size();
  const auto D = static_cast<size_t>(dimension());
  std::vector<float> embeddings(B * D);
  const std::span offsets(sequences.offsets);
  for (size_t begin = 0; begin < B;) {
    const size_t end = PartEnd(offsets, begin);
    Part part;
    part.size = static_cast<int>(end - begin);
    part.tokens = offsets[end] - offsets[begin];
    part.options = options;
    part.sequences = {sequences.ids, offsets.subspan(begin, end - begin + 1)};
    part.embeddings =
        std::span(embeddings).subspan(begin * D, (end - begin) * D);
    RETURN_IF_ERROR(batcher_->Run(part));
    if (times != nullptr) {
      times->queue_us += part.times.queue_us;
      times->compute_us += part.times.compute_us;
    }
    begin = end;
  }
  const auto bytes = std::as_bytes(std::span(embeddings));
  return Tensors{{kEmbedding,
                  Datatype::kFp32,
                  {static_cast<int64_t>(B), dimension()},
                  {},
                  {bytes.begin(), bytes.end()}}};
}

size_t EncoderServable::PartEnd(std::span<const uint32_t> offsets,
                                size_t begin) const {
  size_t end = begin + 1;
  while (end + 1 < offsets.size() &&
         (max_batch_size_ == 0 || end - begin < max_batch_size_) &&
         offsets[end + 1] - offsets[begin] <= max_tokens_per_batch_) {
    ++end;
  }
  return end;
}

void EncoderServable::EncodeBatch(int instance,
                                  std::span<BatchItem* const> batch) {
  std::optional<ScopedPin> pin;
  if (!cores_.empty()) {
    pin.emplace(cores_[static_cast<size_t>(instance) % cores_.size()]);
  }
  Instance& own = instances_[static_cast<size_t>(instance)];
  if (batch.size() == 1) {
    const auto& part = static_cast<const Part&>(*batch[0]);
    model_->Encode(part.sequences, own.workspace, part.embeddings);
    return;
  }
  own.ids.clear();
  own.offsets.assign(1, 0);
  for (const BatchItem* item : batch) {
    const TokenBatch& part = static_cast<const Part&>(*item).sequences;
    const auto moved = static_cast<uint32_t>(own.ids.size()) - part.offsets[0];
    own.ids.insert(own.ids.end(), part.ids.begin() + part.offsets.front(),
                   part.ids.begin() + part.offsets.back());
    for (const uint32_t offset : part.offsets.subspan(1)) {
      own.offsets.push_back(offset + moved);
    }
  }
  own.embeddings.resize((own.offsets.size() - 1) *
                        static_cast<size_t>(dimension()));
  model_->Encode({own.ids, own.offsets}, own.workspace, own.embeddings);
  auto from = own.embeddings.cbegin();
  for (const BatchItem* item : batch) {
    const std::span<float> to = static_cast<const Part&>(*item).embeddings;
    std::copy_n(from, to.size(), to.begin());
    from += static_cast<ptrdiff_t>(to.size());
  }
}

}  // namespace quaver
