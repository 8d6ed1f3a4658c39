// A BART's weights, packed for one kernel table, and where they lie.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quaver/artifact/checkpoint.h"
#include "quaver/artifact/model_files.h"
#include "quaver/base/status.h"
#include "quaver/engine/bart.h"
#include "quaver/engine/internal/encoder_layer.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

// An encoder's layer, which attends to the target's own past, with attention
// to the source between its two halves.
struct DecoderLayer {
  EncoderLayer own;
  Linear cross_query;
  Linear cross_kv;  // of the source: N = 2 * D
  Linear cross_output;
  Norm cross_norm;
};

// Tables and norm of one side's embedding.
struct BartEmbedding {
  const float* positions = nullptr;  // [max_positions, D]
  Norm norm;
};

struct BartWeights {
  BartConfig config;
  const Kernels* kernels = nullptr;
  const float* words = nullptr;  // [V, D], of both sides
  BartEmbedding encoder_embedding, decoder_embedding;
  std::vector<EncoderLayer> encoder;
  std::vector<DecoderLayer> decoder;
  Linear output;  // the words' table again; bias: final_logits_bias

  std::unique_ptr<const Checkpoint> checkpoint;  // holds the tables
  std::shared_ptr<const Artifact> plan;          // or this holds everything
  std::vector<std::vector<float>> converted;     // tables not fp32 in the file
  FloatArena arena{0};                           // all else
  std::vector<FloatArena> repacked;              // of a plan, see PlanReader
};

// Errors as BartModel::Load's.
absl::StatusOr<BartConfig> ReadBartConfig(const ModelFiles& files);
absl::StatusOr<std::unique_ptr<const BartWeights>> LoadBartWeights(
    const std::string& path, const Kernels& kernels,
    const Precisions& precisions);

}  // namespace quaver
