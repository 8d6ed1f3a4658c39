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

#include "quaver/base/status.h"
#include "quaver/engine/bert.h"
#include "quaver/sched/batcher.h"
#include "quaver/sched/servable.h"
#include "quaver/text/wordpiece.h"

namespace quaver {

struct EncoderConfig {
  std::string model_folder;
  int num_instances = 0;  // batches computed at once; 0: AvailableCores()
  // Of a batch, all in all. A call with more is computed part by part, and
  // others may take their turn between two parts. At least the model's longest
  // sequence.
  int max_tokens_per_batch = 256;
  int max_batch_size = 0;  // texts of a batch; 0: no limit
  // By default a call never waits while an instance is idle.
  DynamicBatching batching;
  // Instance i computes on cores[i modulo their number], counted within the
  // process's affinity mask. Empty: anywhere.
  std::vector<int> cores;
};

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
  // Any bytes, empty texts too; what exceeds the model's length is dropped.
  // Besides InvalidArgument, the batcher's errors. No text: no waiting.
  absl::StatusOr<Tensors> Infer(const Tensors& request) override;
  // The same with a priority, a timeout for each part, a deadline and a way to
  // cancel. `times` may be null; else the times of the parts are added up
  // there.
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options, CallTimes* times);

  // Batcher::Stop: refuses new calls, finishes those that are queued.
  void Stop() { batcher_->Stop(); }

  int dimension() const { return model_->config().hidden_size; }
  int num_instances() const { return batcher_->num_instances(); }
  BatcherStatistics statistics() const { return batcher_->statistics(); }

 private:
  struct Part;
  struct Instance;
  EncoderServable(const EncoderConfig& config,
                  std::unique_ptr<const BertModel> model,
                  std::unique_ptr<const WordPiece> tokenizer);
  // The end of the longest part that begins at `begin` and fits a batch.
  size_t PartEnd(std::span<const uint32_t> offsets, size_t begin) const;
  void EncodeBatch(int instance, std::span<BatchItem* const> batch);

  std::unique_ptr<const BertModel> model_;
  std::unique_ptr<const WordPiece> tokenizer_;
  const size_t max_tokens_per_batch_;
  const size_t max_batch_size_;
  const std::vector<int> cores_;
  std::vector<Instance> instances_;
  std::unique_ptr<Batcher> batcher_;
};

}  // namespace quaver
