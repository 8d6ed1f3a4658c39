// See bart.h.
#include "quaver/engine/bart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/engine/internal/arena.h"
#include "quaver/engine/internal/bart_weights.h"
#include "quaver/engine/internal/logit_summary.h"
#include "quaver/engine/internal/plan_parts.h"
#include "quaver/engine/internal/product_names.h"

namespace quaver {
namespace {

constexpr float kNormEpsilon = 1e-5f;

}  // namespace

// For each decoder layer, rows of a key and a value: [rows, 2 * D].
struct BartCache::Buffers {
  FloatArena arena;
  std::vector<float*> sources;  // [source_tokens, 2 * D] of each layer
  std::vector<float*> slots;    // [slots, 2 * D] of each layer

  Buffers(const BartConfig& config, const Size& size)
      : arena(Floats(config, size)) {
    const size_t pair = 2 * static_cast<size_t>(config.width);
    for (int i = 0; i < config.decoder_layers; ++i) {
      sources.push_back(arena.Take(size.source_tokens * pair));
      slots.push_back(arena.Take(size.slots * pair));
    }
  }

  static size_t Floats(const BartConfig& config, const Size& size) {
    const size_t pair = 2 * static_cast<size_t>(config.width);
    return static_cast<size_t>(config.decoder_layers) *
           (FloatArena::Rounded(size.source_tokens * pair) +
            FloatArena::Rounded(size.slots * pair));
  }
};

BartCache::BartCache(const BartModel& model, const Size& size)
    : size_(size), buffers_(std::make_unique<Buffers>(model.config(), size)) {}
BartCache::~BartCache() = default;
BartCache::BartCache(BartCache&&) noexcept = default;

size_t BartCache::bytes() const { return buffers_->arena.bytes(); }
size_t BartCache::Bytes(const BartConfig& config, const Size& size) {
  return FloatArena::Bytes(Buffers::Floats(config, size));
}

struct BartWorkspace::Buffers : LayerBuffers {
  using LayerBuffers::LayerBuffers;
};

namespace {

LayerSizes SizesOf(const BartConfig& config, const Kernels& kernels, size_t M) {
  const auto D = static_cast<size_t>(config.width);
  const auto positions = static_cast<size_t>(config.max_positions);
  const size_t attention = kernels.dense.attention_scratch(
      std::min(M, positions), static_cast<size_t>(config.encoder_heads), D);
  return {
      .M = M,
      .D = D,
      .inner = static_cast<size_t>(std::max(
          {3 * config.width, config.encoder_inner, config.decoder_inner})),
      .scratch =
          std::max({attention, kernels.dense.attend_row_scratch(positions),
                    M * kSummaryColumns}),
      .summaries = M * NumSummaries(static_cast<size_t>(config.vocab_size))};
}

}  // namespace

BartWorkspace::BartWorkspace(const BartModel& model, size_t max_rows,
                             const TeamConfig& team)
    : max_rows_(max_rows),
      buffers_(std::make_unique<Buffers>(
          SizesOf(model.config(), model.kernels(), max_rows), team)) {}
BartWorkspace::~BartWorkspace() = default;
BartWorkspace::BartWorkspace(BartWorkspace&&) noexcept = default;

void BartWorkspace::Observe(const BartModel& model, ProductObserver observer) {
  buffers_->observer = nullptr;
  if (observer == nullptr) return;
  ProductNames names;
  VisitBart(model.weights(), names);
  buffers_->observer = std::move(names).Observer(std::move(observer));
}

size_t BartWorkspace::bytes() const { return buffers_->arena.bytes(); }

size_t BartWorkspace::Bytes(const BartConfig& config, const Kernels& kernels,
                            size_t max_rows, const TeamConfig& team) {
  return LayerBuffers::Bytes(SizesOf(config, kernels, max_rows), team);
}

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

// A key and a value that a row attends to, in products of bytes.
constexpr size_t kKeyWork = 16;

// Keys and values to their slots, then each row to what it sees.
void AttendToPast(const DecoderPass& pass, float* slots) {
  const size_t D = pass.D;
  for (size_t m = 0; m < pass.M; ++m) {
    std::memcpy(slots + pass.rows.slots[m] * 2 * D,
                pass.buffers.wide + m * 3 * D + D, 2 * D * sizeof(float));
  }
  const size_t work = pass.rows.seen.size() * D * kKeyWork;
  pass.Share(pass.M, 1, work, [&](size_t first, size_t last, float* scratch) {
    for (size_t m = first; m < last; ++m) {
      const uint32_t begin = pass.rows.seen_offsets[m];
      const uint32_t end = pass.rows.seen_offsets[m + 1];
      pass.kernels.dense.attend_row(
          pass.buffers.wide + m * 3 * D, slots, slots + D, 2 * D,
          pass.rows.seen.data() + begin, end - begin, pass.H, D, scratch,
          pass.buffers.context + m * D);
    }
  });
}

void AttendToSource(const DecoderPass& pass, const float* sources) {
  const size_t D = pass.D;
  size_t tokens = 0;
  for (size_t m = 0; m < pass.M; ++m) {
    tokens += pass.rows.source_end[m] - pass.rows.source_begin[m];
  }
  const size_t work = tokens * D * kKeyWork;
  pass.Share(pass.M, 1, work, [&](size_t first, size_t last, float* scratch) {
    for (size_t m = first; m < last; ++m) {
      const uint32_t begin = pass.rows.source_begin[m];
      const uint32_t end = pass.rows.source_end[m];
      const float* keys = sources + begin * 2 * D;
      pass.kernels.dense.attend_row(pass.buffers.wide + m * D, keys, keys + D,
                                    2 * D, nullptr, end - begin, pass.H, D,
                                    scratch, pass.buffers.context + m * D);
    }
  });
}

// Reads what is prepared for its first product, prepares what `next` reads.
void RunLayer(const DecoderPass& pass, const DecoderLayer& layer,
              const float* sources, float* slots, const Linear& next) {
  const EncoderLayer& own = layer.own;
  pass.ApplyPrepared(own.qkv, pass.buffers.hidden, Epilogue::kBias,
                     pass.buffers.wide);
  AttendToPast(pass, slots);
  pass.AddAndNormalise(own.attention_output, pass.buffers.context,
                       own.attention_norm, &layer.cross_query);
  pass.ApplyPrepared(layer.cross_query, pass.buffers.hidden, Epilogue::kBias,
                     pass.buffers.wide);
  AttendToSource(pass, sources);
  pass.AddAndNormalise(layer.cross_output, pass.buffers.context,
                       layer.cross_norm, &own.up);
  FeedForward(pass, own, &next);
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

LayerPass BartModel::RunEncoder(const TokenBatch& batch,
                                BartWorkspace& workspace) const {
  const BartWorkspace::Buffers& buffers = *workspace.buffers_;
  const BartConfig& config = weights_->config;
  const auto D = static_cast<size_t>(config.width);
  const uint32_t base = batch.offsets.front();
  const size_t M = batch.offsets.back() - base;
  QUAVER_CHECK(M <= workspace.max_rows());
  QUAVER_CHECK(batch.offsets.back() <= batch.ids.size());
  const EncoderPass pass{{kernels(), buffers, M, D, kNormEpsilon},
                         batch.offsets,
                         static_cast<size_t>(config.encoder_heads)};
  for (size_t b = 0; b + 1 < batch.offsets.size(); ++b) {
    const uint32_t begin = batch.offsets[b], end = batch.offsets[b + 1];
    QUAVER_CHECK(begin < end);
    for (uint32_t t = begin; t < end; ++t) {
      EmbedRow(*weights_, weights_->encoder_embedding, batch.ids[t], t - begin,
               buffers.hidden + (t - base) * D);
    }
  }
  RunEncoderLayers(pass, weights_->encoder_embedding.norm, weights_->encoder);
  return pass;
}

void BartModel::PutSources(const LayerPass& pass,
                           std::span<const uint32_t> offsets,
                           std::span<const uint32_t> firsts,
                           BartCache& cache) const {
  const size_t pair = 2 * pass.D;
  QUAVER_CHECK(firsts.size() + 1 == offsets.size());
  for (size_t b = 0; b < firsts.size(); ++b) {
    QUAVER_CHECK(firsts[b] + (offsets[b + 1] - offsets[b]) <=
                 cache.size().source_tokens);
  }
  for (size_t i = 0; i < weights_->decoder.size(); ++i) {
    pass.Apply(weights_->decoder[i].cross_kv, pass.buffers.hidden,
               Epilogue::kBias, nullptr, pass.buffers.wide);
    for (size_t b = 0; b < firsts.size(); ++b) {
      const size_t begin = offsets[b] - offsets[0];
      const size_t end = offsets[b + 1] - offsets[0];
      std::copy(pass.buffers.wide + begin * pair,
                pass.buffers.wide + end * pair,
                cache.buffers_->sources[i] + size_t{firsts[b]} * pair);
    }
  }
}

void BartModel::Encode(const TokenBatch& batch,
                       std::span<const uint32_t> firsts,
                       BartWorkspace& workspace, BartCache& cache) const {
  const Team::Call call(*workspace.buffers_->team);
  PutSources(RunEncoder(batch, workspace), batch.offsets, firsts, cache);
}

void BartModel::EncodeStates(const TokenBatch& batch, BartWorkspace& workspace,
                             std::span<float> states) const {
  const Team::Call call(*workspace.buffers_->team);
  const LayerPass pass = RunEncoder(batch, workspace);
  QUAVER_CHECK(states.size() == pass.M * pass.D);
  std::copy_n(pass.buffers.hidden, states.size(), states.data());
}

void BartModel::PutSource(std::span<const float> states, uint32_t first,
                          BartWorkspace& workspace, BartCache& cache) const {
  const auto D = static_cast<size_t>(config().width);
  const size_t M = states.size() / D;
  QUAVER_CHECK(states.size() == M * D && M > 0 && M <= workspace.max_rows());
  const Team::Call call(*workspace.buffers_->team);
  const LayerPass pass{kernels(), *workspace.buffers_, M, D, kNormEpsilon};
  std::copy(states.begin(), states.end(), pass.buffers.hidden);
  const std::array<uint32_t, 2> offsets = {0, static_cast<uint32_t>(M)};
  PutSources(pass, offsets, {&first, 1}, cache);
}

LayerPass BartModel::RunDecoder(const DecoderRows& rows,
                                BartWorkspace& workspace,
                                BartCache& cache) const {
  const BartWorkspace::Buffers& buffers = *workspace.buffers_;
  const BartConfig& config = weights_->config;
  const auto D = static_cast<size_t>(config.width);
  const size_t M = rows.tokens.size();
  QUAVER_CHECK(M <= workspace.max_rows());
  CheckRows(config, cache.size(), rows);
  const DecoderPass pass{{kernels(), buffers, M, D, kNormEpsilon},
                         rows,
                         static_cast<size_t>(config.decoder_heads)};
  for (size_t m = 0; m < M; ++m) {
    EmbedRow(*weights_, weights_->decoder_embedding, rows.tokens[m],
             rows.positions[m], buffers.hidden + m * D);
  }
  const std::vector<DecoderLayer>& layers = weights_->decoder;
  const auto first_of = [&](size_t layer) -> const Linear& {
    return layer < layers.size() ? layers[layer].own.qkv : weights_->output;
  };
  pass.Normalise(weights_->decoder_embedding.norm, &first_of(0));
  for (size_t i = 0; i < layers.size(); ++i) {
    RunLayer(pass, layers[i], cache.buffers_->sources[i],
             cache.buffers_->slots[i], first_of(i + 1));
  }
  return pass;
}

void BartModel::Decode(const DecoderRows& rows, BartWorkspace& workspace,
                       BartCache& cache, const LogitQueries& queries) const {
  const Team::Call call(*workspace.buffers_->team);
  const LayerPass pass = RunDecoder(rows, workspace, cache);
  Summarise(pass, weights_->output, queries);
}

void BartModel::Decode(const DecoderRows& rows, BartWorkspace& workspace,
                       BartCache& cache, std::span<float> logits) const {
  const Team::Call call(*workspace.buffers_->team);
  const LayerPass pass = RunDecoder(rows, workspace, cache);
  QUAVER_CHECK(logits.size() == pass.M * weights_->output.N);
  pass.ApplyPrepared(weights_->output, pass.buffers.hidden, Epilogue::kBias,
                     logits.data());
}

}  // namespace quaver
