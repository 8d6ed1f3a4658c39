// Finds a BERT's tensors, checks them against its configuration, packs them.
#include "quaver/engine/internal/bert_weights.h"

#include <utility>

#include "quaver/engine/internal/bert_folder.h"
#include "quaver/engine/internal/plan_parts.h"
#include "quaver/engine/internal/plan_reader.h"

namespace quaver {
namespace {

absl::StatusOr<EncoderLayerViews> FindLayer(const TensorFinder& finder,
                                            const BertConfig& config,
                                            int layer) {
  const std::string name = fmt::format("encoder.layer.{}.", layer);
  const std::string self = name + "attention.self.";
  const int64_t D = config.hidden_size;
  const int64_t inner = config.intermediate_size;
  EncoderLayerViews views;
  ASSIGN_OR_RETURN(
      views.qkv,
      finder.FindLinear({self + "query", self + "key", self + "value"}, D, D));
  ASSIGN_OR_RETURN(views.attention_output,
                   finder.FindLinear({name + "attention.output.dense"}, D, D));
  ASSIGN_OR_RETURN(views.attention_norm,
                   finder.FindNorm(name + "attention.output.LayerNorm", D));
  ASSIGN_OR_RETURN(views.up,
                   finder.FindLinear({name + "intermediate.dense"}, inner, D));
  ASSIGN_OR_RETURN(views.down,
                   finder.FindLinear({name + "output.dense"}, D, inner));
  ASSIGN_OR_RETURN(views.output_norm,
                   finder.FindNorm(name + "output.LayerNorm", D));
  return views;
}

absl::Status FindTables(const TensorFinder& finder, BertWeights* weights) {
  const BertConfig& config = weights->config;
  const auto find = [&](const std::string& name,
                        int64_t rows) -> absl::StatusOr<const float*> {
    ASSIGN_OR_RETURN(const TensorView view,
                     finder.Find("embeddings." + name + ".weight",
                                 {rows, config.hidden_size}));
    return InPlace(view, &weights->converted);
  };
  ASSIGN_OR_RETURN(weights->words, find("word_embeddings", config.vocab_size));
  ASSIGN_OR_RETURN(weights->positions,
                   find("position_embeddings", config.max_positions));
  ASSIGN_OR_RETURN(weights->type,
                   find("token_type_embeddings", config.type_vocab_size));
  return absl::OkStatus();
}

absl::Status ReadPlan(std::shared_ptr<const Artifact> plan,
                      BertWeights* weights) {
  weights->plan = std::move(plan);
  weights->layers.resize(static_cast<size_t>(weights->config.num_layers));
  PlanReader reader(*weights->plan, *weights->kernels);
  VisitBert(*weights, reader);
  weights->repacked = reader.TakeRepacked();
  return reader.status();
}

}  // namespace

absl::StatusOr<std::unique_ptr<const BertWeights>> LoadBertWeights(
    const std::string& path, const Kernels& kernels,
    const Precisions& precisions) {
  auto weights = std::make_unique<BertWeights>();
  ASSIGN_OR_RETURN(const ModelFiles files, ModelFiles::Open(path));
  ASSIGN_OR_RETURN(const BertFolder found, ReadBertFolder(files));
  weights->config = found.config;
  weights->kernels = &kernels;
  if (files.plan() != nullptr) {
    RETURN_IF_ERROR(ReadPlan(files.plan(), weights.get()));
    return std::unique_ptr<const BertWeights>(std::move(weights));
  }
  const std::string folder = path + "/" + found.transformer;
  ASSIGN_OR_RETURN(weights->checkpoint, Checkpoint::Open(folder));
  const bool prefixed =
      weights->checkpoint->Has("bert.embeddings.word_embeddings.weight");
  const TensorFinder finder(folder, *weights->checkpoint,
                            prefixed ? "bert." : "");
  RETURN_IF_ERROR(FindTables(finder, weights.get()));
  const int D = found.config.hidden_size;
  ASSIGN_OR_RETURN(const NormViews embedding_norm,
                   finder.FindNorm("embeddings.LayerNorm", D));
  size_t floats = Packer::MeasureNorm(static_cast<size_t>(D));
  std::vector<EncoderLayerViews> layers;
  for (int i = 0; i < found.config.num_layers; ++i) {
    ASSIGN_OR_RETURN(EncoderLayerViews views,
                     FindLayer(finder, found.config, i));
    views.Choose(precisions, fmt::format("layers.{}", i));
    floats += views.Measure(kernels);
    layers.push_back(std::move(views));
  }
  RETURN_IF_ERROR(CheckFinite(folder, *weights->checkpoint));
  weights->arena = FloatArena(floats);
  Packer packer(kernels, weights->arena);
  weights->embedding_norm = packer.CopyNorm(embedding_norm);
  for (const EncoderLayerViews& views : layers) {
    weights->layers.push_back(views.Pack(packer));
  }
  weights->checkpoint->DropPages();
  return std::unique_ptr<const BertWeights>(std::move(weights));
}

}  // namespace quaver
