// See bart.h.
#include "quaver/engine/bart.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/engine/internal/arena.h"
#include "quaver/engine/internal/bart_weights.h"

namespace quaver {
namespace {

constexpr float kNormEpsilon = 1e-5f;

}  // namespace

// For each decoder layer, rows of a key and a value: [rows, 2 * D].
struct BartCache::Buffers {
  FloatArena arena;
  std::vector<float*> sources;  // [source_tokens, 2 * D] of each layer
  std::vector<float*> slots;    // [slots, 2 * D] of each layer

  Buffers(const BartConfig& config, const Size& size) : arena(0) {
    const auto layers = static_cast<size_t>(config.decoder_layers);
    const size_t pair = 2 * static_cast<size_t>(config.width);
    arena =
        FloatArena(layers * (FloatArena::Rounded(size.source_tokens * pair) +
                             FloatArena::Rounded(size.slots * pair)));
    for (size_t i = 0; i < layers; ++i) {
      sources.push_back(arena.Take(size.source_tokens * pair));
      slots.push_back(arena.Take(size.slots * pair));
    }
  }
};

BartCache::BartCache(const BartModel& model, const Size& size)
    : size_(size), buffers_(std::make_unique<Buffers>(model.config(), size)) {}
BartCache::~BartCache() = default;
BartCache::BartCache(BartCache&&) noexcept = default;

// M is the most rows of a call.
struct BartWorkspace::Buffers : LayerBuffers {
  Buffers(const BartConfig& config, const DenseKernels& dense, size_t M)
      : LayerBuffers(M, static_cast<size_t>(config.width),
                     static_cast<size_t>(
                         std::max({3 * config.width, config.encoder_inner,
                                   config.decoder_inner})),
                     ScratchFloats(config, dense, M)) {}

  static size_t ScratchFloats(const BartConfig& config,
                              const DenseKernels& dense, size_t M) {
    const auto positions = static_cast<size_t>(config.max_positions);
    return std::max(
        dense.attention_scratch(std::min(M, positions),
                                static_cast<size_t>(config.encoder_heads),
                                static_cast<size_t>(config.width)),
        dense.attend_row_scratch(positions));
  }
};

BartWorkspace::BartWorkspace(const BartModel& model, size_t max_rows)
    : max_rows_(max_rows),
      buffers_(std::make_unique<Buffers>(model.config(), model.kernels().dense,
                                         max_rows)) {}
BartWorkspace::~BartWorkspace() = default;
BartWorkspace::BartWorkspace(BartWorkspace&&) noexcept = default;

namespace {

// A token's row of the words' table and its position's, summed.
void EmbedRow(const BartWeights& weights, const BartEmbedding& embedding,
              int32_t id, size_t position, float* row) {
  const BartConfig& config = weights.config;
  QUAVER_CHECK(id >= 0 && id < config.vocab_size);
  QUAVER_CHECK(position < static_cast<size_t>(config.max_positions));
  const auto D = static_cast<size_t>(config.width);
  const float scale = config.scale_embedding
                          ? std::sqrt(static_cast<float>(config.width))
                          : 1.0f;
  const float* word = weights.words + static_cast<size_t>(id) * D;
  const float* place = embedding.positions + position * D;
  for (size_t i = 0; i < D; ++i) row[i] = word[i] * scale + place[i];
}

// One Decode call's view of the model and the buffers.
struct DecoderPass : LayerPass {
  const DecoderRows& rows;
  size_t H;
};

// Keys and values to their slots, then each row to what it sees.
void AttendToPast(const DecoderPass& pass, float* slots) {
  const size_t D = pass.D;
  for (size_t m = 0; m < pass.M; ++m) {
    std::memcpy(slots + pass.rows.slots[m] * 2 * D,
                pass.buffers.wide + m * 3 * D + D, 2 * D * sizeof(float));
  }
  for (size_t m = 0; m < pass.M; ++m) {
    const uint32_t begin = pass.rows.seen_offsets[m];
    const uint32_t end = pass.rows.seen_offsets[m + 1];
    pass.kernels.dense.attend_row(
        pass.buffers.wide + m * 3 * D, slots, slots + D, 2 * D,
        pass.rows.seen.data() + begin, end - begin, pass.H, D,
        pass.buffers.scratch, pass.buffers.context + m * D);
  }
}

void AttendToSource(const DecoderPass& pass, const float* sources) {
  const size_t D = pass.D;
  for (size_t m = 0; m < pass.M; ++m) {
    const uint32_t begin = pass.rows.source_begin[m];
    const uint32_t end = pass.rows.source_end[m];
    const float* keys = sources + begin * 2 * D;
    pass.kernels.dense.attend_row(
        pass.buffers.wide + m * D, keys, keys + D, 2 * D, nullptr, end - begin,
        pass.H, D, pass.buffers.scratch, pass.buffers.context + m * D);
  }
}

void RunLayer(const DecoderPass& pass, const DecoderLayer& layer,
              const float* sources, float* slots) {
  const EncoderLayer& own = layer.own;
  pass.Apply(own.qkv, pass.buffers.hidden, Epilogue::kBias, nullptr,
             pass.buffers.wide);
  AttendToPast(pass, slots);
  pass.AddAndNormalise(own.attention_output, pass.buffers.context,
                       own.attention_norm);
  pass.Apply(layer.cross_query, pass.buffers.hidden, Epilogue::kBias, nullptr,
             pass.buffers.wide);
  AttendToSource(pass, sources);
  pass.AddAndNormalise(layer.cross_output, pass.buffers.context,
                       layer.cross_norm);
  pass.FeedForward(own);
}

void CheckRows(const BartConfig& config, const BartCache::Size& size,
               const DecoderRows& rows) {
  const size_t M = rows.tokens.size();
  QUAVER_CHECK(rows.positions.size() == M && rows.slots.size() == M &&
               rows.seen_offsets.size() == M + 1 &&
               rows.source_begin.size() == M && rows.source_end.size() == M);
  QUAVER_CHECK(rows.seen_offsets[M] <= rows.seen.size());
  for (size_t m = 0; m < M; ++m) {
    QUAVER_CHECK(rows.slots[m] < size.slots);
    QUAVER_CHECK(rows.source_begin[m] < rows.source_end[m] &&
                 rows.source_end[m] <= size.source_tokens);
    const uint32_t seen = rows.seen_offsets[m + 1] - rows.seen_offsets[m];
    QUAVER_CHECK(seen == rows.positions[m] + 1);
    QUAVER_CHECK(rows.seen[rows.seen_offsets[m + 1] - 1] == rows.slots[m]);
  }
  for (const uint32_t slot : rows.seen) QUAVER_CHECK(slot < size.slots);
  QUAVER_CHECK(std::all_of(
      rows.positions.begin(), rows.positions.end(), [&](uint32_t position) {
        return position < static_cast<uint32_t>(config.max_positions);
      }));
}

}  // namespace

absl::StatusOr<std::unique_ptr<const BartModel>> BartModel::Load(
    const std::string& path, const Kernels& kernels,
    const Precisions& precisions) {
  ASSIGN_OR_RETURN(auto weights, LoadBartWeights(path, kernels, precisions));
  return std::unique_ptr<const BartModel>(new BartModel(std::move(weights)));
}

BartModel::BartModel(std::unique_ptr<const BartWeights> weights)
    : weights_(std::move(weights)) {}
BartModel::~BartModel() = default;

const BartConfig& BartModel::config() const { return weights_->config; }
const Kernels& BartModel::kernels() const { return *weights_->kernels; }

void BartModel::Encode(const TokenBatch& batch,
                       std::span<const uint32_t> firsts,
                       BartWorkspace& workspace, BartCache& cache) const {
  const BartWorkspace::Buffers& buffers = *workspace.buffers_;
  const BartConfig& config = weights_->config;
  const auto D = static_cast<size_t>(config.width);
  const uint32_t base = batch.offsets.front();
  const size_t M = batch.offsets.back() - base;
  QUAVER_CHECK(M <= workspace.max_rows());
  QUAVER_CHECK(batch.offsets.back() <= batch.ids.size());
  QUAVER_CHECK(firsts.size() + 1 == batch.offsets.size());
  const EncoderPass pass{{kernels(), buffers, M, D, kNormEpsilon},
                         batch.offsets,
                         static_cast<size_t>(config.encoder_heads)};
  for (size_t b = 0; b + 1 < batch.offsets.size(); ++b) {
    const uint32_t begin = batch.offsets[b], end = batch.offsets[b + 1];
    QUAVER_CHECK(begin < end);
    QUAVER_CHECK(firsts[b] + (end - begin) <= cache.size().source_tokens);
    for (uint32_t t = begin; t < end; ++t) {
      EmbedRow(*weights_, weights_->encoder_embedding, batch.ids[t], t - begin,
               buffers.hidden + (t - base) * D);
    }
  }
  pass.Apply(weights_->encoder_embedding.norm, buffers.hidden);
  for (const EncoderLayer& layer : weights_->encoder) RunLayer(pass, layer);
  for (size_t i = 0; i < weights_->decoder.size(); ++i) {
    pass.Apply(weights_->decoder[i].cross_kv, buffers.hidden, Epilogue::kBias,
               nullptr, buffers.wide);
    for (size_t b = 0; b < firsts.size(); ++b) {
      const size_t begin = batch.offsets[b] - base;
      const size_t end = batch.offsets[b + 1] - base;
      std::copy(buffers.wide + begin * 2 * D, buffers.wide + end * 2 * D,
                cache.buffers_->sources[i] + size_t{firsts[b]} * 2 * D);
    }
  }
}

void BartModel::Decode(const DecoderRows& rows, BartWorkspace& workspace,
                       BartCache& cache, std::span<float> logits) const {
  const BartWorkspace::Buffers& buffers = *workspace.buffers_;
  const BartConfig& config = weights_->config;
  const auto D = static_cast<size_t>(config.width);
  const size_t M = rows.tokens.size();
  QUAVER_CHECK(M <= workspace.max_rows());
  QUAVER_CHECK(logits.size() == M * static_cast<size_t>(config.vocab_size));
  CheckRows(config, cache.size(), rows);
  const DecoderPass pass{{kernels(), buffers, M, D, kNormEpsilon},
                         rows,
                         static_cast<size_t>(config.decoder_heads)};
  for (size_t m = 0; m < M; ++m) {
    EmbedRow(*weights_, weights_->decoder_embedding, rows.tokens[m],
             rows.positions[m], buffers.hidden + m * D);
  }
  pass.Apply(weights_->decoder_embedding.norm, buffers.hidden);
  for (size_t i = 0; i < weights_->decoder.size(); ++i) {
    RunLayer(pass, weights_->decoder[i], cache.buffers_->sources[i],
             cache.buffers_->slots[i]);
  }
  pass.Apply(weights_->output, buffers.hidden, Epilogue::kBias, nullptr,
             logits.data());
}

}  // namespace quaver
