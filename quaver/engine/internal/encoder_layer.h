// One post-norm layer of a transformer's encoder: BERT's and BART's are the
// same but for their tensors' names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

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

  // Each product's precision; `name` is the layer's.
  void Choose(const Precisions& precisions, const std::string& name);
  size_t Measure(const Kernels& kernels) const;
  EncoderLayer Pack(Packer& packer) const;
};

// What layers of at most M rows of width D read and write.
struct LayerBuffers {
  FloatArena arena;
  float* hidden;   // [M, D], in and out
  float* context;  // [M, D], what attention gave
  float* wide;     // [M, inner], inner >= 3 * D
  float* scratch;  // attention's, for the longest sequence
  uint8_t* codes;  // [M + kInt8SpareRows, Int8Stride(inner)], a product's input
  Int8Row* rows;   // [M], of the codes

  LayerBuffers(size_t M, size_t D, size_t inner, size_t scratch_floats);
};

// One call's layers, M rows.
struct LayerPass {
  const Kernels& kernels;
  const LayerBuffers& buffers;
  size_t M;
  size_t D;
  float epsilon;  // of the norms

  void Apply(const Linear& linear, const float* x, Epilogue epilogue,
             const float* residual, float* y) const {
    if (linear.precision == Precision::kInt8) {
      kernels.int8.quantise(x, M, linear.K, buffers.codes, buffers.rows);
      kernels.int8.gemm(buffers.codes, buffers.rows, linear.int8, residual, M,
                        epilogue, y);
      return;
    }
    kernels.dense.gemm(x, linear.weight, linear.bias, residual, M, linear.N,
                       linear.K, epilogue, y);
  }
  void Apply(const Norm& norm, float* rows) const {
    kernels.dense.layer_norm(rows, norm.weight, norm.bias, M, D, epsilon, rows);
  }
  // hidden = norm(hidden + linear(x)): post-norm, as each half of a layer ends.
  void AddAndNormalise(const Linear& linear, const float* x,
                       const Norm& norm) const {
    Apply(linear, x, Epilogue::kBiasResidual, buffers.hidden, buffers.hidden);
    Apply(norm, buffers.hidden);
  }
  // The second half of a layer.
  void FeedForward(const EncoderLayer& layer) const {
    Apply(layer.up, buffers.hidden, Epilogue::kBiasGelu, nullptr, buffers.wide);
    AddAndNormalise(layer.down, buffers.wide, layer.output_norm);
  }
};

// Sequence b is rows [offsets[b] - offsets[0], offsets[b + 1] - offsets[0]).
struct EncoderPass : LayerPass {
  std::span<const uint32_t> offsets;  // [B + 1]
  size_t H;
};

void RunLayer(const EncoderPass& pass, const EncoderLayer& layer);

}  // namespace quaver
