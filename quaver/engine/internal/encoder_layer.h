// One post-norm layer of a transformer's encoder: BERT's and BART's are the
// same but for their tensors' names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "quaver/engine/internal/layer_pass.h"
#include "quaver/engine/internal/weights.h"

namespace quaver {

struct EncoderLayer {
  Linear qkv;  // query, key and value in one: N = 3 * D
  Linear attention_output;
  Norm attention_norm;
  Linear up;
  Linear down;
  Norm output_norm;
};

struct EncoderLayerViews {
  LinearViews qkv, attention_output, up, down;
  NormViews attention_norm, output_norm;

  // Each product's precision and range; `name` is the layer's.
  void Choose(const Precisions& precisions, const std::string& name);
  size_t Measure(const Kernels& kernels) const;
  EncoderLayer Pack(Packer& packer) const;
};

// Sequence b is rows [offsets[b] - offsets[0], offsets[b + 1] - offsets[0]).
struct EncoderPass : LayerPass {
  std::span<const uint32_t> offsets;  // [B + 1]
  size_t H;
};

// The second half of a layer: reads what is prepared for layer.up, prepares
// what `next` reads, as LayerPass::Normalise's.
void FeedForward(const LayerPass& pass, const EncoderLayer& layer,
                 const Linear* next);

// Normalises the embeddings in pass.hidden and passes them through all layers.
void RunEncoderLayers(const EncoderPass& pass, const Norm& embedding_norm,
                      std::span<const EncoderLayer> layers);

}  // namespace quaver
