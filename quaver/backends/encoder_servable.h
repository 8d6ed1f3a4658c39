// The sentence encoder as a servable: texts in, embeddings out.
//
//   ASSIGN_OR_RETURN(auto encoder, EncoderServable::Create(
//       {.model_folder = "build/models/minilm"}, BestKernels()));
//   encoder->Infer({texts});  // TEXT BYTES[B] -> EMBEDDING FP32[B, D]
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/engine/bert.h"
#include "quaver/sched/batcher.h"
#include "quaver/sched/servable.h"
#include "quaver/text/wordpiece.h"

namespace quaver {

struct TokenRows;

struct EncoderConfig {
  std::string model_folder;
  int num_instances =
      0;  // batches computed at once; 0: as cores are enough for
  // Of a batch, all in all. A call with more is computed part by part, and
  // others may take their turn between two parts. At least the model's longest
  // sequence.
  int max_tokens_per_batch = 256;
  int max_batch_size = 0;  // texts of a batch; 0: no limit
  // By default a call never waits while an instance is idle.
  DynamicBatching batching;
  // That compute one batch together: shorter, at the cost of fewer instances.
  // Capped, with a warning, to what InstanceTeam of team.h allows.
  int threads_per_instance = 1;
  // Where instances compute, counted within the process's affinity mask, see
  // InstanceTeam; of one thread each, instance i on cores[i modulo their
  // number]. Empty: anywhere.
  std::vector<int> cores;
};

// Inputs, one of the first two
//   TEXT BYTES[B]               any bytes; what exceeds the model's length is
//                               dropped
//   INPUT_IDS INT64[B, T]       what a tokenizer makes of texts, [CLS] and
//   [SEP]
//                               included, at most the model's length
//   ATTENTION_MASK INT64[B, T]  optional, of the ids: 0 for the padding at a
//                               row's end, else 1. Nothing is computed for
//                               padding
// Outputs
//   EMBEDDING FP32[B, D]
//   TOKENS INT32[B]             that were read
//
// Thread-safe. Calls that come while all instances are busy are merged into
// batches, by the law of sched/batcher.h; a batch is computed in the thread of
// one of its callers. A call with many texts is one part at a time in the
// queue; for more cores call from several threads.
class EncoderServable : public Servable {
 public:
  // Errors as BertModel::Load's, WordPiece::Load's and CheckBatcherConfig's.
  static absl::StatusOr<std::unique_ptr<EncoderServable>> Create(
      const EncoderConfig& config, const Kernels& kernels);
  ~EncoderServable() override;

  std::vector<TensorSpec> inputs() const override;
  std::vector<TensorSpec> outputs() const override;
  using Servable::Infer;
  // Besides InvalidArgument, the batcher's errors. A timeout is of each part.
  // No text: no waiting.
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override;

  // Batcher::Stop: refuses new calls, finishes those that are queued.
  void Stop() { batcher_->Stop(); }

  int dimension() const { return model_->config().hidden_size; }
  int num_instances() const { return batcher_->num_instances(); }
  BatcherStatistics statistics() const { return batcher_->statistics(); }
  ServableCounts counts() const override { return {.batcher = statistics()}; }
  // As Batcher::Resize; 0: as many as by default. Instances are made anew and
  // share the weights.
  absl::Status Resize(int num_instances) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Part;
  struct Instance;
  EncoderServable(const EncoderConfig& config,
                  std::unique_ptr<const BertModel> model,
                  std::unique_ptr<const WordPiece> tokenizer);
  absl::StatusOr<TokenRows> ReadRows(const Tensors& request) const;
  // The end of the longest part that begins at `begin` and fits a batch.
  size_t PartEnd(std::span<const uint32_t> offsets, size_t begin) const;
  std::vector<std::shared_ptr<Instance>> MakeInstances(int count) const;
  void SetInstances(std::vector<std::shared_ptr<Instance>> instances)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void EncodeBatch(int instance, std::span<BatchItem* const> batch)
      ABSL_LOCKS_EXCLUDED(mutex_);

  std::unique_ptr<const BertModel> model_;
  std::unique_ptr<const WordPiece> tokenizer_;
  const size_t max_tokens_per_batch_;
  const size_t max_batch_size_;
  const int threads_per_instance_;
  const std::vector<int> cores_;
  Mutex resizing_;  // held by Resize, before mutex_
  mutable Mutex mutex_;
  // A batch holds its own.
  std::vector<std::shared_ptr<Instance>> instances_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Batcher> batcher_;
};

}  // namespace quaver
