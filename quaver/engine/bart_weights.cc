// Finds a BART's tensors, checks them against its configuration, packs them.
#include "quaver/engine/internal/bart_weights.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "quaver/engine/internal/plan_parts.h"
#include "quaver/engine/internal/plan_reader.h"

namespace quaver {
namespace {

// BART's tables of positions begin with two rows that no token has.
constexpr int kPositionOffset = 2;

struct DecoderLayerViews {
  EncoderLayerViews own;
  LinearViews cross_query, cross_kv, cross_output;
  NormViews cross_norm;

  void Choose(const Precisions& precisions, const std::string& name) {
    own.Choose(precisions, name);
    cross_query.Choose(precisions, name + ".cross_query");
    cross_kv.Choose(precisions, name + ".cross_kv");
    cross_output.Choose(precisions, name + ".cross_output");
  }
  size_t Measure(const Kernels& kernels) const {
    size_t floats = own.Measure(kernels) + Packer::MeasureNorm(cross_output.N);
    for (const LinearViews* linear : {&cross_query, &cross_kv, &cross_output}) {
      floats += Packer::MeasureLinear(kernels, *linear);
    }
    return floats;
  }
  DecoderLayer Pack(Packer& packer) const {
    return {own.Pack(packer), packer.PackLinear(cross_query),
            packer.PackLinear(cross_kv), packer.PackLinear(cross_output),
            packer.CopyNorm(cross_norm)};
  }
};

// What layers of both sides have.
absl::StatusOr<EncoderLayerViews> FindOwn(const TensorFinder& finder,
                                          const std::string& name, int64_t D,
                                          int64_t inner) {
  const std::string self = name + "self_attn.";
  EncoderLayerViews views;
  ASSIGN_OR_RETURN(
      views.qkv,
      finder.FindLinear({self + "q_proj", self + "k_proj", self + "v_proj"}, D,
                        D));
  ASSIGN_OR_RETURN(views.attention_output,
                   finder.FindLinear({self + "out_proj"}, D, D));
  ASSIGN_OR_RETURN(views.attention_norm,
                   finder.FindNorm(name + "self_attn_layer_norm", D));
  ASSIGN_OR_RETURN(views.up, finder.FindLinear({name + "fc1"}, inner, D));
  ASSIGN_OR_RETURN(views.down, finder.FindLinear({name + "fc2"}, D, inner));
  ASSIGN_OR_RETURN(views.output_norm,
                   finder.FindNorm(name + "final_layer_norm", D));
  return views;
}

absl::StatusOr<EncoderLayerViews> FindEncoderLayer(const TensorFinder& finder,
                                                   const BartConfig& config,
                                                   int layer) {
  return FindOwn(finder, fmt::format("encoder.layers.{}.", layer), config.width,
                 config.encoder_inner);
}

absl::StatusOr<DecoderLayerViews> FindDecoderLayer(const TensorFinder& finder,
                                                   const BartConfig& config,
                                                   int layer) {
  const std::string name = fmt::format("decoder.layers.{}.", layer);
  const std::string cross = name + "encoder_attn.";
  const int64_t D = config.width;
  DecoderLayerViews views;
  ASSIGN_OR_RETURN(views.own, FindOwn(finder, name, D, config.decoder_inner));
  ASSIGN_OR_RETURN(views.cross_query,
                   finder.FindLinear({cross + "q_proj"}, D, D));
  ASSIGN_OR_RETURN(
      views.cross_kv,
      finder.FindLinear({cross + "k_proj", cross + "v_proj"}, D, D));
  ASSIGN_OR_RETURN(views.cross_output,
                   finder.FindLinear({cross + "out_proj"}, D, D));
  ASSIGN_OR_RETURN(views.cross_norm,
                   finder.FindNorm(name + "encoder_attn_layer_norm", D));
  return views;
}

// Refuses tensors that this model would not read: they are a sign of another
// configuration. Copies of the words' table, which are tied, may be there.
absl::Status CheckNames(const std::string& folder, const Checkpoint& checkpoint,
                        const TensorFinder& finder) {
  constexpr std::string_view kCopies[] = {"model.encoder.embed_tokens.weight",
                                          "model.decoder.embed_tokens.weight",
                                          "encoder.embed_tokens.weight",
                                          "decoder.embed_tokens.weight",
                                          "lm_head.weight",
                                          "final_logits_bias"};
  for (const std::string& name : checkpoint.Names()) {
    if (finder.found().contains(name)) continue;
    if (std::find(std::begin(kCopies), std::end(kCopies), name) !=
        std::end(kCopies)) {
      continue;
    }
    return absl::InvalidArgumentError(fmt::format(
        "{}: config.json has no place for the tensor \"{}\"", folder, name));
  }
  return absl::OkStatus();
}

absl::Status ReadPlan(std::shared_ptr<const Artifact> plan,
                      BartWeights* weights) {
  const BartConfig& config = weights->config;
  weights->plan = std::move(plan);
  weights->encoder.resize(static_cast<size_t>(config.encoder_layers));
  weights->decoder.resize(static_cast<size_t>(config.decoder_layers));
  PlanReader reader(*weights->plan, *weights->kernels);
  VisitBart(*weights, reader);
  weights->repacked = reader.TakeRepacked();
  return reader.status();
}

}  // namespace

absl::StatusOr<std::unique_ptr<const BartWeights>> LoadBartWeights(
    const std::string& folder, const Kernels& kernels,
    const Precisions& precisions) {
  auto weights = std::make_unique<BartWeights>();
  ASSIGN_OR_RETURN(const ModelFiles files, ModelFiles::Open(folder));
  ASSIGN_OR_RETURN(weights->config, ReadBartConfig(files));
  const BartConfig& config = weights->config;
  weights->kernels = &kernels;
  if (files.plan() != nullptr) {
    RETURN_IF_ERROR(ReadPlan(files.plan(), weights.get()));
    return std::unique_ptr<const BartWeights>(std::move(weights));
  }
  ASSIGN_OR_RETURN(weights->checkpoint, Checkpoint::Open(folder));
  const Checkpoint& checkpoint = *weights->checkpoint;
  const TensorFinder finder(
      folder, checkpoint,
      checkpoint.Has("model.shared.weight") ? "model." : "");
  const int64_t D = config.width, V = config.vocab_size;
  ASSIGN_OR_RETURN(const TensorView words,
                   finder.Find("shared.weight", {V, D}));
  const Precision output = precisions.Of("output");
  size_t floats = Packer::MeasureLinear(kernels, V, D, output);
  struct Side {
    const char* name;
    BartEmbedding* embedding;
    NormViews norm;
  };
  Side sides[] = {{"encoder", &weights->encoder_embedding, {}},
                  {"decoder", &weights->decoder_embedding, {}}};
  for (Side& side : sides) {
    ASSIGN_OR_RETURN(
        const TensorView positions,
        finder.Find(fmt::format("{}.embed_positions.weight", side.name),
                    {config.max_positions + kPositionOffset, D}));
    side.embedding->positions =
        InPlace(positions, &weights->converted) + kPositionOffset * D;
    ASSIGN_OR_RETURN(
        side.norm,
        finder.FindNorm(fmt::format("{}.layernorm_embedding", side.name), D));
    floats += Packer::MeasureNorm(D);
  }
  std::vector<EncoderLayerViews> encoder;
  for (int i = 0; i < config.encoder_layers; ++i) {
    ASSIGN_OR_RETURN(auto views, FindEncoderLayer(finder, config, i));
    views.Choose(precisions, fmt::format("encoder.{}", i));
    floats += views.Measure(kernels);
    encoder.push_back(std::move(views));
  }
  std::vector<DecoderLayerViews> decoder;
  for (int i = 0; i < config.decoder_layers; ++i) {
    ASSIGN_OR_RETURN(auto views, FindDecoderLayer(finder, config, i));
    views.Choose(precisions, fmt::format("decoder.{}", i));
    floats += views.Measure(kernels);
    decoder.push_back(std::move(views));
  }
  RETURN_IF_ERROR(CheckNames(folder, checkpoint, finder));
  RETURN_IF_ERROR(CheckFinite(folder, checkpoint));

  weights->arena = FloatArena(floats);
  Packer packer(kernels, weights->arena);
  weights->words = InPlace(words, &weights->converted);
  std::vector<float> bias(V, 0.0f);
  if (checkpoint.Has("final_logits_bias")) {
    const TensorFinder outer(folder, checkpoint, "");
    ASSIGN_OR_RETURN(const TensorView view,
                     outer.Find("final_logits_bias", {1, V}));
    bias = ToFloats(view);
  }
  weights->output =
      packer.PackLinear(weights->words, bias.data(), V, D, output);
  if (weights->output.precision == Precision::kInt8) {
    weights->output.range = precisions.RangeOf("output");
  }
  for (const Side& side : sides) {
    side.embedding->norm = packer.CopyNorm(side.norm);
  }
  for (const auto& views : encoder) {
    weights->encoder.push_back(views.Pack(packer));
  }
  for (const auto& views : decoder) {
    weights->decoder.push_back(views.Pack(packer));
  }
  weights->checkpoint->DropPages();
  return std::unique_ptr<const BartWeights>(std::move(weights));
}

}  // namespace quaver
