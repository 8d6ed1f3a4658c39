// A BERT's weights, packed for one kernel table, and where they lie.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quaver/artifact/artifact.h"
#include "quaver/artifact/checkpoint.h"
#include "quaver/base/status.h"
#include "quaver/engine/bert.h"
#include "quaver/engine/internal/encoder_layer.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

struct BertWeights {
  BertConfig config;
  const Kernels* kernels = nullptr;
  const float* words = nullptr;      // [vocab_size, D]
  const float* positions = nullptr;  // [max_positions, D]
  const float* type = nullptr;       // [D], the first of the types
  Norm embedding_norm;
  std::vector<EncoderLayer> layers;

  std::unique_ptr<const Checkpoint> checkpoint;  // holds the tables
  std::shared_ptr<const Artifact> plan;          // or this holds everything
  std::vector<std::vector<float>> converted;     // tables not fp32 in the file
  FloatArena arena{0};                           // all else
  std::vector<FloatArena> repacked;              // of a plan, see PlanReader
};

// Errors as BertModel::Load's.
absl::StatusOr<std::unique_ptr<const BertWeights>> LoadBertWeights(
    const std::string& path, const Kernels& kernels,
    const Precisions& precisions);

}  // namespace quaver
