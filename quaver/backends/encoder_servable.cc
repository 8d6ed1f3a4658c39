// See encoder_servable.h.
#include "quaver/backends/encoder_servable.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "quaver/backends/internal/token_rows.h"
#include "quaver/backends/tokenizers.h"
#include "quaver/base/workers.h"
#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

constexpr char kText[] = "TEXT";
constexpr char kEmbedding[] = "EMBEDDING";
constexpr char kTokens[] = "TOKENS";

TokenRows Tokenize(const WordPiece& tokenizer, int max_tokens,
                   const std::vector<std::string>& texts) {
  TokenRows rows;
  rows.offsets.reserve(texts.size() + 1);
  for (const std::string& text : texts) {
    rows.Add(tokenizer.Encode(text, max_tokens));
  }
  return rows;
}

}  // namespace

struct EncoderServable::Part : BatchItem {
  TokenBatch sequences;
  std::span<float> embeddings;  // [size, D]
};

struct EncoderServable::Instance {
  BertWorkspace workspace;
  std::optional<int> core;  // of the calling thread
  // Of a merged batch, one sequence after the other.
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets;
  std::vector<float> embeddings;  // [B, D]
};

EncoderServable::~EncoderServable() = default;

absl::StatusOr<std::unique_ptr<EncoderServable>> EncoderServable::Create(
    const EncoderConfig& config, const Kernels& kernels) {
  if (config.max_tokens_per_batch < 1 || config.threads_per_instance < 1 ||
      std::any_of(
          config.cores.begin(), config.cores.end(),
          [](int core) { return core < 0; })) {
    return absl::InvalidArgumentError(
        "EncoderConfig: max_tokens_per_batch or threads_per_instance is below "
        "1, or a core is negative");
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
      Batcher::Create({.num_instances = NumInstances(
                           config.num_instances, config.threads_per_instance),
                       .max_batch_size = config.max_batch_size,
                       .max_batch_tokens = static_cast<int64_t>(
                           servable->max_tokens_per_batch_),
                       .batching = config.batching},
                      [own = servable.get()](
                          int instance, std::span<BatchItem* const> batch) {
                        own->EncodeBatch(instance, batch);
                      }));
  servable->SetInstances(servable->MakeInstances(servable->num_instances()));
  return servable;
}

std::vector<std::shared_ptr<EncoderServable::Instance>>
EncoderServable::MakeInstances(int count) const {
  std::vector<std::shared_ptr<Instance>> instances;
  for (int i = 0; i < count; ++i) {
    const TeamConfig team =
        InstanceTeam(i, count, threads_per_instance_, cores_);
    instances.push_back(std::shared_ptr<Instance>(new Instance{
        .workspace = BertWorkspace(*model_, max_tokens_per_batch_, team)}));
    if (!team.cores.empty()) instances.back()->core = team.cores.front();
  }
  return instances;
}

void EncoderServable::SetInstances(
    std::vector<std::shared_ptr<Instance>> instances) {
  const MutexLock lock(&mutex_);
  instances_.swap(instances);
}

absl::Status EncoderServable::Resize(int num_instances) {
  if (num_instances < 0) {
    return absl::InvalidArgumentError("the number of instances is negative");
  }
  const MutexLock resizing(&resizing_);
  const int wanted = NumInstances(num_instances, threads_per_instance_);
  std::vector<std::shared_ptr<Instance>> instances = MakeInstances(wanted);
  if (wanted < batcher_->num_instances()) batcher_->Resize(wanted);
  SetInstances(std::move(instances));
  batcher_->Resize(wanted);
  return absl::OkStatus();
}

EncoderServable::EncoderServable(const EncoderConfig& config,
                                 std::unique_ptr<const BertModel> model,
                                 std::unique_ptr<const WordPiece> tokenizer)
    : model_(std::move(model)),
      tokenizer_(std::move(tokenizer)),
      max_tokens_per_batch_(static_cast<size_t>(
          std::max(config.max_tokens_per_batch, model_->config().max_tokens))),
      max_batch_size_(static_cast<size_t>(std::max(0, config.max_batch_size))),
      threads_per_instance_(config.threads_per_instance),
      cores_(config.cores) {}

std::vector<TensorSpec> EncoderServable::inputs() const {
  return {{kText, Datatype::kBytes, {-1}, /*optional=*/true},
          {kInputIds, Datatype::kInt64, {-1, -1}, /*optional=*/true},
          {kAttentionMask, Datatype::kInt64, {-1, -1}, /*optional=*/true}};
}

std::vector<TensorSpec> EncoderServable::outputs() const {
  return {{kEmbedding, Datatype::kFp32, {-1, dimension()}},
          {kTokens, Datatype::kInt32, {-1}}};
}

absl::StatusOr<TokenRows> EncoderServable::ReadRows(
    const Tensors& request) const {
  RETURN_IF_ERROR(CheckInputs(inputs(), request));
  const Tensor* text = FindTensor(request, kText);
  const Tensor* ids = FindTensor(request, kInputIds);
  const Tensor* mask = FindTensor(request, kAttentionMask);
  if ((text == nullptr) == (ids == nullptr)) {
    return absl::InvalidArgumentError(fmt::format(
        "expected either input '{}' or input '{}'", kText, kInputIds));
  }
  if (text != nullptr && mask != nullptr) {
    return absl::InvalidArgumentError(fmt::format(
        "input '{}' belongs to input '{}'", kAttentionMask, kInputIds));
  }
  const BertConfig& config = model_->config();
  if (text != nullptr) {
    return Tokenize(*tokenizer_, config.max_tokens, text->strings);
  }
  return ReadTokenRows(
      *ids, mask,
      {.vocab_size = config.vocab_size, .most_tokens = config.max_tokens});
}

absl::StatusOr<Tensors> EncoderServable::Infer(const Tensors& request,
                                               const CallOptions& options,
                                               CallTimes* times) {
  ASSIGN_OR_RETURN(const TokenRows sequences, ReadRows(request));
  const size_t B = sequences.size();
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
  std::vector<int32_t> tokens;
  for (size_t b = 0; b < B; ++b) {
    tokens.push_back(static_cast<int32_t>(sequences.row(b).size()));
  }
  const auto rows = static_cast<int64_t>(B);
  Tensors answer;
  answer.push_back(
      MakeTensor(kEmbedding, Datatype::kFp32, {rows, dimension()}, embeddings));
  answer.push_back(MakeTensor(kTokens, Datatype::kInt32, {rows}, tokens));
  return answer;
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
  std::shared_ptr<Instance> held;
  {
    const MutexLock lock(&mutex_);
    held = instances_[static_cast<size_t>(instance)];
  }
  Instance& own = *held;
  std::optional<ScopedPin> pin;
  if (own.core) pin.emplace(*own.core);
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
