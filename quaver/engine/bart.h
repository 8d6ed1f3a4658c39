// The spell corrector's model: BART for conditional generation.
//
//   ASSIGN_OR_RETURN(auto model, BartModel::Load(folder, BestKernels()));
//   BartCache cache(*model, {.source_tokens = 64, .slots = 64});
//   BartWorkspace workspace(*model, /*max_rows=*/64);
//   model->Encode({ids, offsets}, firsts, workspace, cache);
//   model->Decode(rows, workspace, cache, {summaries});
//
// generation.h is what most callers want.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "quaver/base/status.h"
#include "quaver/engine/bert.h"  // TokenBatch
#include "quaver/engine/product_observer.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

struct BartConfig {
  int vocab_size = 0;  // V
  int width = 0;       // D
  int encoder_layers = 0;
  int decoder_layers = 0;
  int encoder_heads = 0;
  int decoder_heads = 0;
  int encoder_inner = 0;
  int decoder_inner = 0;
  int max_positions = 0;  // of a text, in tokens
  bool scale_embedding = false;
  int32_t bos_id = 0, pad_id = 0, eos_id = 0;
  int32_t decoder_start_id = 0;
  // What generation_config.json, or else config.json, says of the first and
  // last token of an answer.
  std::optional<int32_t> forced_bos_id, forced_eos_id;
};

// Reads config.json and, where there is one, generation_config.json. Errors as
// BartModel::Load's.
absl::StatusOr<BartConfig> ReadBartConfig(const std::string& path);

class BartWorkspace;
class BartCache;
struct BartWeights;
struct LayerPass;

// Target tokens to compute, M rows, of one or several requests. Row r is a
// token at a position of its request's target; it reads the keys of its own
// source and those of the target slots in
// seen[seen_offsets[r], seen_offsets[r + 1]), ordered by position: its own slot
// comes last. Slots written by the same call may be seen, so that a tree of
// drafts is one call.
struct DecoderRows {
  std::span<const int32_t> tokens;         // [M]
  std::span<const uint32_t> positions;     // [M], from 0
  std::span<const uint32_t> slots;         // [M] where key and value are put
  std::span<const uint32_t> seen;          // slots
  std::span<const uint32_t> seen_offsets;  // [M + 1]
  std::span<const uint32_t> source_begin;  // [M] rows of the cache
  std::span<const uint32_t> source_end;    // [M]
};

// A token that might come after a row.
struct RowToken {
  uint32_t row = 0;
  int32_t token = 0;
};

// What a call tells of its rows' logits, which are never stored: of the token
// after each row, final_logits_bias included.
struct LogitQueries {
  std::span<RowSummary> summaries;  // [M], out
  // Logits that count as minus infinity.
  std::span<const RowToken> banned;
  std::span<const RowToken> wanted;
  std::span<float> wanted_logits;  // of each wanted one, out
};

// Immutable after Load, shared by all threads.
class BartModel {
 public:
  // Reads a Hugging Face folder of BartForConditionalGeneration: config.json,
  // generation_config.json if any, model.safetensors (or its sharded form).
  // Unimplemented, naming file and field, for what is not supported;
  // InvalidArgument for a damaged folder, a weight that is no number, or one
  // that the configuration does not know.
  // Or a plan of plan.h, which has precisions of its own and is used as it is
  // mapped; errors as Artifact::Open's.
  static absl::StatusOr<std::unique_ptr<const BartModel>> Load(
      const std::string& path, const Kernels& kernels,
      const Precisions& precisions = {});
  ~BartModel();

  const BartConfig& config() const;
  const Kernels& kernels() const;
  const BartWeights& weights() const { return *weights_; }

  // Reads sources; their keys and values for the decoder's cross-attention go
  // to the cache's source rows, text b's from firsts[b] on, one a token.
  // REQUIRES: every text has 1 to max_positions tokens, 0 <= ids < V; at most
  // the workspace's rows and the cache's. Allocates nothing. A text's rows do
  // not depend on the others of the batch.
  void Encode(const TokenBatch& batch,
              std::span<const uint32_t> firsts,  // [B]
              BartWorkspace& workspace, BartCache& cache) const;

  // Encode's two halves, bit for bit, for callers that keep what is between
  // them: the encoder's last states, one row a token; and their keys and
  // values, which go to the source rows from `first` on. REQUIRES: as Encode;
  // states of at most the workspace's rows, at least one.
  void EncodeStates(const TokenBatch& batch, BartWorkspace& workspace,
                    std::span<float> states) const;  // [T, D]
  void PutSource(std::span<const float> states,      // [S, D]
                 uint32_t first, BartWorkspace& workspace,
                 BartCache& cache) const;

  // Answers the queries. REQUIRES: at most the workspace's rows; ids,
  // positions, slots and source rows in range; seen slots written before or by
  // this call. Allocates nothing. A row's logits do not depend on the other
  // rows of the call, on where its slots lie, or on how many calls its target
  // took; nor does its summary, whose sum is that of the sums of 4,096 logits.
  void Decode(const DecoderRows& rows, BartWorkspace& workspace,
              BartCache& cache, const LogitQueries& queries) const;
  // The same, with all logits instead.
  void Decode(const DecoderRows& rows, BartWorkspace& workspace,
              BartCache& cache, std::span<float> logits) const;  // [M, V]

 private:
  explicit BartModel(std::unique_ptr<const BartWeights> weights);
  // Leaves the states in the workspace.
  LayerPass RunEncoder(const TokenBatch& batch, BartWorkspace& workspace) const;
  void PutSources(const LayerPass& pass,
                  std::span<const uint32_t> offsets,  // [B + 1]
                  std::span<const uint32_t> firsts,   // [B]
                  BartCache& cache) const;
  // All but the output layer, whose input is prepared.
  LayerPass RunDecoder(const DecoderRows& rows, BartWorkspace& workspace,
                       BartCache& cache) const;

  std::unique_ptr<const BartWeights> weights_;
};

// Keys and values: of sources, for cross-attention, and of target tokens. Plain
// memory; who uses which rows and slots is the caller's affair.
class BartCache {
 public:
  struct Size {
    size_t source_tokens = 0;
    size_t slots = 0;  // target tokens
  };
  BartCache(const BartModel& model, const Size& size);
  ~BartCache();
  BartCache(BartCache&&) noexcept;
  const Size& size() const { return size_; }
  // What it took from the system, and what one of that size takes.
  size_t bytes() const;
  static size_t Bytes(const BartConfig& config, const Size& size);

 private:
  friend class BartModel;
  struct Buffers;
  Size size_;
  std::unique_ptr<Buffers> buffers_;
};

// Every other mutable byte of a call. One an instance.
class BartWorkspace {
 public:
  // For calls of at most `max_rows` source or target tokens, computed by a
  // team of its own, see team.h; its size changes no bit of what comes out.
  BartWorkspace(const BartModel& model, size_t max_rows,
                const TeamConfig& team = {});
  ~BartWorkspace();
  BartWorkspace(BartWorkspace&&) noexcept;
  // Of the products of calls to come, which are the model's it was made for;
  // null ends it.
  void Observe(const BartModel& model, ProductObserver observer);
  size_t max_rows() const { return max_rows_; }
  // What it took from the system, beside the threads' stacks, and what one of
  // that configuration takes.
  size_t bytes() const;
  static size_t Bytes(const BartConfig& config, const Kernels& kernels,
                      size_t max_rows, const TeamConfig& team = {});

 private:
  friend class BartModel;
  struct Buffers;
  size_t max_rows_;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace quaver
