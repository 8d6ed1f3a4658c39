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

// What running layers reads and writes, for M rows of width D in all.
// Sequence b is rows [offsets[b] - offsets[0], offsets[b + 1] - offsets[0]).
struct EncoderPass {
  const DenseKernels& dense;
  std::span<const uint32_t> offsets;  // [B + 1]
  size_t M;
  size_t D;
  size_t H;
  float epsilon;   // of the norms
  float* hidden;   // [M, D], in and out
  float* context;  // [M, D]
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
};

void RunLayer(const EncoderPass& pass, const EncoderLayer& layer);

}  // namespace quaver
