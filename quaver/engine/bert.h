// The sentence encoder: BERT with pooling and normalisation.
//
//   ASSIGN_OR_RETURN(auto model, BertModel::Load(folder, BestKernels()));
//   BertWorkspace workspace(*model, /*max_tokens=*/512);
//   model->Encode({ids, offsets}, workspace, embeddings);
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/engine/precision.h"
#include "quaver/engine/product_observer.h"
#include "quaver/engine/team.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

// Sequences one after the other, without padding. Sequence b is
// ids[offsets[b] .. offsets[b + 1]), special tokens included.
// The first offset need not be 0: a part of a batch is a part of its offsets.
struct TokenBatch {
  std::span<const int32_t> ids;
  std::span<const uint32_t> offsets;  // [B + 1], rising
};

struct BertConfig {
  int vocab_size = 0;
  int hidden_size = 0;  // D
  int intermediate_size = 0;
  int num_heads = 0;  // H
  int num_layers = 0;
  int max_positions = 0;
  int type_vocab_size = 0;
  float layer_norm_epsilon = 1e-12f;
  enum class Pooling { kMean, kCls, kMax } pooling = Pooling::kMean;
  bool normalize = false;  // unit length at the end
  int max_tokens = 0;      // sentence_bert_config.json's max_seq_length
};

// Reads the configuration alone: config.json, modules.json and what it names.
// Without modules.json the pooling is the mean and nothing is normalised.
// Errors as BertModel::Load's.
absl::StatusOr<BertConfig> ReadBertConfig(const std::string& path);

// Every mutable byte of a call. One an instance; sized once.
class BertWorkspace;
struct BertWeights;

// Immutable after Load, shared by all threads.
class BertModel {
 public:
  // Reads a Hugging Face or sentence-transformers folder: config.json,
  // model.safetensors (or its sharded form), modules.json and what it names.
  // Unimplemented, naming the file and field, for what is not supported;
  // InvalidArgument for a damaged folder. Packs the weights for `kernels`;
  // the embedding tables are read in place from the mapped file.
  // Or a plan of plan.h, which has precisions of its own and is used as it is
  // mapped; errors as Artifact::Open's.
  static absl::StatusOr<std::unique_ptr<const BertModel>> Load(
      const std::string& path, const Kernels& kernels,
      const Precisions& precisions = {});
  ~BertModel();

  const BertConfig& config() const;
  const Kernels& kernels() const;
  const BertWeights& weights() const { return *weights_; }

  // REQUIRES: every sequence has 1 to max_positions tokens; the batch fits
  // the workspace; 0 <= ids < vocab_size. Allocates nothing. A sequence's
  // embedding does not depend on the others of the batch.
  void Encode(const TokenBatch& batch, BertWorkspace& workspace,
              std::span<float> embeddings) const;  // [B, D]

 private:
  explicit BertModel(std::unique_ptr<const BertWeights> weights);
  void EncodeBlock(const TokenBatch& batch, BertWorkspace& workspace,
                   float* embeddings) const;  // [B, D]

  std::unique_ptr<const BertWeights> weights_;
};

class BertWorkspace {
 public:
  // For batches of at most `max_tokens` tokens in all. Memory grows with
  // min(max_tokens, 512) only: large batches are computed block by block.
  // Calls are computed by a team of its own, see team.h; its size changes no
  // bit of what comes out.
  BertWorkspace(const BertModel& model, size_t max_tokens,
                const TeamConfig& team = {});
  ~BertWorkspace();
  // Of the products of calls to come, which are the model's it was made for;
  // null ends it.
  void Observe(const BertModel& model, ProductObserver observer);
  size_t max_tokens() const { return max_tokens_; }
  // What it took from the system, beside the threads' stacks.
  size_t bytes() const;
  // What one of that configuration takes.
  static size_t Bytes(const BertConfig& config, const Kernels& kernels,
                      size_t max_tokens, const TeamConfig& team = {});

 private:
  friend class BertModel;
  struct Buffers;
  size_t max_tokens_;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace quaver
