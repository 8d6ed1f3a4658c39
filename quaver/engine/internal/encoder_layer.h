// One post-norm layer of a transformer's encoder: BERT's and BART's are the
// same but for their tensors' names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

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

  size_t Measure(const Kernels& kernels) const;
  EncoderLayer Pack(Packer& packer) const;
};

// What running a layer's products reads and writes, for M rows of width D.
struct LayerPass {
  const DenseKernels& dense;
  size_t M;
  size_t D;
  float epsilon;   // of the norms
  float* hidden;   // [M, D], in and out
  float* context;  // [M, D], what attention gave
  float* wide;     // [M, max(3 * D, inner)]
  float* scratch;  // attention's, for the longest sequence

  void Apply(const Linear& linear, const float* x, Epilogue epilogue,
             const float* residual, float* y) const {
    dense.gemm(x, linear.weight, linear.bias, residual, M, linear.N, linear.K,
               epilogue, y);
  }
  void Apply(const Norm& norm, float* rows) const {
    dense.layer_norm(rows, norm.weight, norm.bias, M, D, epsilon, rows);
  }
  // hidden = norm(hidden + linear(x)): post-norm, as each half of a layer ends.
  void AddAndNormalise(const Linear& linear, const float* x,
                       const Norm& norm) const {
    Apply(linear, x, Epilogue::kBiasResidual, hidden, hidden);
    Apply(norm, hidden);
  }
  // The second half of a layer.
  void FeedForward(const EncoderLayer& layer) const {
    Apply(layer.up, hidden, Epilogue::kBiasGelu, nullptr, wide);
    AddAndNormalise(layer.down, wide, layer.output_norm);
  }
};

// Sequence b is rows [offsets[b] - offsets[0], offsets[b + 1] - offsets[0]).
struct EncoderPass : LayerPass {
  std::span<const uint32_t> offsets;  // [B + 1]
  size_t H;
};

void RunLayer(const EncoderPass& pass, const EncoderLayer& layer);

}  // namespace quaver
