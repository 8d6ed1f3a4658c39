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
#include "quaver/sched/instances.h"
#include "quaver/sched/servable.h"
#include "quaver/text/wordpiece.h"

namespace quaver {

struct EncoderConfig {
  std::string model_folder;
  int num_instances = 0;   // calls that compute at once; 0: AvailableCores()
  int max_waiting = 1024;  // further calls in line before Unavailable
  // A call with more tokens is computed part by part, and others may take
  // their turn between two parts. At least the model's longest sequence.
  int max_tokens_per_batch = 256;
};

// Thread-safe. A call computes on one instance at a time, in the caller's
// thread; for more cores call from several threads.
class EncoderServable : public Servable {
 public:
  // Errors as BertModel::Load's and WordPiece::Load's.
  static absl::StatusOr<std::unique_ptr<EncoderServable>> Create(
      const EncoderConfig& config, const Kernels& kernels);

  std::vector<TensorSpec> inputs() const override;
  std::vector<TensorSpec> outputs() const override;
  // Any bytes, empty texts too; what exceeds the model's length is dropped.
  absl::StatusOr<Tensors> Infer(const Tensors& request) override;

  int dimension() const { return model_->config().hidden_size; }

 private:
  EncoderServable(const EncoderConfig& config,
                  std::unique_ptr<const BertModel> model,
                  std::unique_ptr<const WordPiece> tokenizer);
  absl::Status EncodePart(const TokenBatch& batch, std::span<float> embeddings);

  std::unique_ptr<const BertModel> model_;
  std::unique_ptr<const WordPiece> tokenizer_;
  size_t max_tokens_per_batch_;
  InstancePool pool_;
  std::vector<BertWorkspace> workspaces_;  // one an instance
};

}  // namespace quaver
