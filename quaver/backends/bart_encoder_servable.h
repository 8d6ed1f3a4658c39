// The spell corrector's encoder network by itself: token ids in, states out.
//
//   ASSIGN_OR_RETURN(auto encoder, BartEncoderServable::Create(
//       {.model_folder = "models/corrector"}, BestKernels()));
//   encoder->Infer({ids});  // INPUT_IDS INT64[B, T] -> ENCODER_OUTPUT ...
//
// With bart_decoder_servable.h, for callers that decode in their own way;
// corrector_servable.h does it faster, as it keeps keys and values.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "quaver/backends/bart_instances.h"
#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

// Inputs
//   INPUT_IDS INT64[B, T]          with what the tokenizer puts around a text;
//                                  1 to max_tokens of a row
//   ATTENTION_MASK INT64[B, T]     optional: 0 for the padding at a row's end,
//                                  else 1
// Output
//   ENCODER_OUTPUT FP32[B, T, D]   the last layer's states; 0 for padding
//
// Thread-safe. A call computes in its caller's thread, one row after the other
// and nothing for padding, so that a row's states depend on it alone.
class BartEncoderServable : public Servable {
 public:
  // Errors as BartInstances::Create's.
  static absl::StatusOr<std::unique_ptr<BartEncoderServable>> Create(
      const BartNetworkConfig& config, const Kernels& kernels);

  std::vector<TensorSpec> inputs() const override;
  std::vector<TensorSpec> outputs() const override;
  using Servable::Infer;
  // Besides InvalidArgument, as BartInstances::Run's; what is late or cancelled
  // is left between two rows.
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override;
  ServableCounts counts() const override {
    return {.num_waiting = bart_->num_waiting()};
  }
  absl::Status Resize(int num_instances) override {
    return bart_->Resize(num_instances);
  }

 private:
  explicit BartEncoderServable(std::unique_ptr<BartInstances> bart)
      : bart_(std::move(bart)) {}

  std::unique_ptr<BartInstances> bart_;
};

}  // namespace quaver
