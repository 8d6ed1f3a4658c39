// See bert.h.
#include "quaver/engine/bert.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/engine/internal/arena.h"
#include "quaver/engine/internal/bert_weights.h"
#include "quaver/engine/internal/plan_parts.h"
#include "quaver/engine/internal/product_names.h"

namespace quaver {
namespace {

// Tokens computed together. 256 make reading the weights (42 MB for MiniLM-L6)
// a thirtieth of the arithmetic, and their activations (4 MB) stay in the
// third-level cache.
constexpr size_t kBlockTokens = 256;

// The most tokens of one block: whole sequences up to kBlockTokens, or one
// longer sequence.
size_t BlockLimit(const BertConfig& config, size_t max_tokens) {
  const auto longest = static_cast<size_t>(config.max_positions);
  return std::min(max_tokens, std::max(kBlockTokens, longest));
}

void MeanPool(const float* rows, size_t T, size_t D, float* out) {
  std::copy(rows, rows + D, out);
  for (size_t t = 1; t < T; ++t) {
    for (size_t i = 0; i < D; ++i) out[i] += rows[t * D + i];
  }
  const float scale = 1.0f / static_cast<float>(T);
  for (size_t i = 0; i < D; ++i) out[i] *= scale;
}

void MaxPool(const float* rows, size_t T, size_t D, float* out) {
  std::copy(rows, rows + D, out);
  for (size_t t = 1; t < T; ++t) {
    for (size_t i = 0; i < D; ++i) {
      out[i] = std::max(out[i], rows[t * D + i]);
    }
  }
}

// Equals torch.nn.functional.normalize: a norm below 1e-12 counts as 1e-12.
void Normalize(size_t D, float* vector) {
  double squares = 0;
  for (size_t i = 0; i < D; ++i) squares += double{vector[i]} * vector[i];
  const auto scale =
      static_cast<float>(1.0 / std::max(std::sqrt(squares), 1e-12));
  for (size_t i = 0; i < D; ++i) vector[i] *= scale;
}

void Pool(const BertConfig& config, const float* rows, size_t T, float* out) {
  const auto D = static_cast<size_t>(config.hidden_size);
  switch (config.pooling) {
    case BertConfig::Pooling::kMean:
      MeanPool(rows, T, D, out);
      break;
    case BertConfig::Pooling::kCls:
      std::copy(rows, rows + D, out);
      break;
    case BertConfig::Pooling::kMax:
      MaxPool(rows, T, D, out);
      break;
  }
  if (config.normalize) Normalize(D, out);
}

}  // namespace

struct BertWorkspace::Buffers : LayerBuffers {
  using LayerBuffers::LayerBuffers;
};

namespace {

LayerSizes SizesOf(const BertConfig& config, const Kernels& kernels,
                   size_t max_tokens) {
  const size_t M = BlockLimit(config, max_tokens);
  const auto D = static_cast<size_t>(config.hidden_size);
  const auto positions = static_cast<size_t>(config.max_positions);
  return {
      .M = M,
      .D = D,
      .inner = std::max(3 * D, static_cast<size_t>(config.intermediate_size)),
      .scratch = kernels.dense.attention_scratch(
          std::min(M, positions), static_cast<size_t>(config.num_heads), D)};
}

}  // namespace

BertWorkspace::BertWorkspace(const BertModel& model, size_t max_tokens,
                             const TeamConfig& team)
    : max_tokens_(max_tokens),
      buffers_(std::make_unique<Buffers>(
          SizesOf(model.config(), model.kernels(), max_tokens), team)) {}
BertWorkspace::~BertWorkspace() = default;

void BertWorkspace::Observe(const BertModel& model, ProductObserver observer) {
  buffers_->observer = nullptr;
  if (observer == nullptr) return;
  ProductNames names;
  VisitBert(model.weights(), names);
  buffers_->observer = std::move(names).Observer(std::move(observer));
}

size_t BertWorkspace::bytes() const { return buffers_->arena.bytes(); }

size_t BertWorkspace::Bytes(const BertConfig& config, const Kernels& kernels,
                            size_t max_tokens, const TeamConfig& team) {
  return LayerBuffers::Bytes(SizesOf(config, kernels, max_tokens), team);
}

namespace {

// Word, type and position summed, into pass.hidden.
void Embed(const BertWeights& weights, const TokenBatch& batch,
           const EncoderPass& pass) {
  const size_t D = pass.D;
  const uint32_t first = batch.offsets.front();
  for (size_t b = 0; b + 1 < batch.offsets.size(); ++b) {
    const uint32_t begin = batch.offsets[b];
    for (uint32_t t = begin; t < batch.offsets[b + 1]; ++t) {
      const int32_t id = batch.ids[t];
      QUAVER_CHECK(id >= 0 && id < weights.config.vocab_size);
      const float* word = weights.words + static_cast<size_t>(id) * D;
      const float* position = weights.positions + (t - begin) * D;
      float* row = pass.buffers.hidden + (t - first) * D;
      for (size_t i = 0; i < D; ++i) {
        row[i] = word[i] + weights.type[i] + position[i];
      }
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<const BertModel>> BertModel::Load(
    const std::string& path, const Kernels& kernels,
    const Precisions& precisions) {
  ASSIGN_OR_RETURN(auto weights, LoadBertWeights(path, kernels, precisions));
  return std::unique_ptr<const BertModel>(new BertModel(std::move(weights)));
}

BertModel::BertModel(std::unique_ptr<const BertWeights> weights)
    : weights_(std::move(weights)) {}
BertModel::~BertModel() = default;

const BertConfig& BertModel::config() const { return weights_->config; }
const Kernels& BertModel::kernels() const { return *weights_->kernels; }

void BertModel::Encode(const TokenBatch& batch, BertWorkspace& workspace,
                       std::span<float> embeddings) const {
  const auto D = static_cast<size_t>(config().hidden_size);
  const size_t B = batch.offsets.size() - 1;
  QUAVER_CHECK(embeddings.size() == B * D);
  QUAVER_CHECK(batch.offsets.back() <= batch.ids.size());
  QUAVER_CHECK(batch.offsets.back() - batch.offsets.front() <=
               workspace.max_tokens());
  const Team::Call call(*workspace.buffers_->team);
  size_t begin = 0;
  while (begin < B) {
    size_t end = begin + 1;
    while (end < B &&
           batch.offsets[end + 1] - batch.offsets[begin] <= kBlockTokens) {
      ++end;
    }
    EncodeBlock({batch.ids, batch.offsets.subspan(begin, end - begin + 1)},
                workspace, embeddings.data() + begin * D);
    begin = end;
  }
}

void BertModel::EncodeBlock(const TokenBatch& batch, BertWorkspace& workspace,
                            float* embeddings) const {
  const uint32_t first = batch.offsets.front();
  const EncoderPass pass{
      {kernels(), *workspace.buffers_, batch.offsets.back() - first,
       static_cast<size_t>(config().hidden_size), config().layer_norm_epsilon},
      batch.offsets,
      static_cast<size_t>(config().num_heads)};
  for (size_t b = 0; b + 1 < batch.offsets.size(); ++b) {
    const uint32_t T = batch.offsets[b + 1] - batch.offsets[b];
    QUAVER_CHECK(T >= 1 && static_cast<int>(T) <= config().max_positions);
  }
  Embed(*weights_, batch, pass);
  RunEncoderLayers(pass, weights_->embedding_norm, weights_->layers);
  for (size_t b = 0; b + 1 < batch.offsets.size(); ++b) {
    const uint32_t begin = batch.offsets[b] - first;
    Pool(config(), pass.buffers.hidden + begin * pass.D,
         batch.offsets[b + 1] - batch.offsets[b], embeddings + b * pass.D);
  }
}

}  // namespace quaver
