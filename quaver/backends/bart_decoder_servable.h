// The spell corrector's decoder network by itself: what might come next.
//
//   ASSIGN_OR_RETURN(auto decoder, BartDecoderServable::Create(
//       {.model_folder = "models/corrector"}, BestKernels()));
//   decoder->Infer({target, states});  // -> LOGITS FP32[B, T, V]
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "quaver/backends/bart_instances.h"
#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

// Inputs
//   DECODER_INPUT_IDS INT64[B, T]        from the decoder's start on, 1 to
//                                        max_tokens of a row
//   ENCODER_OUTPUT FP32[B, S, D]         BartEncoderServable's, of 1 to
//                                        max_tokens
//   ENCODER_ATTENTION_MASK INT64[B, S]   optional: the mask that the encoder
//                                        had
//   LAST_ONLY BOOL[B]                    optional: whether T is 1 in the
//                                        answer, which is then the last token's
//                                        row; alike for all B
// Output
//   LOGITS FP32[B, T, V]                 of the token after each,
//                                        final_logits_bias included
//
// Keeps nothing between calls: each computes the whole prefix anew. Thread-safe
// as BartEncoderServable; a row's logits depend on that row alone.
class BartDecoderServable : public Servable {
 public:
  // Errors as BartInstances::Create's.
  static absl::StatusOr<std::unique_ptr<BartDecoderServable>> Create(
      const BartNetworkConfig& config, const Kernels& kernels);

  std::vector<TensorSpec> inputs() const override;
  std::vector<TensorSpec> outputs() const override;
  using Servable::Infer;
  // As BartEncoderServable's; InvalidArgument also for a state that is no
  // finite number.
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
  struct Question;
  explicit BartDecoderServable(std::unique_ptr<BartInstances> bart)
      : bart_(std::move(bart)) {}
  absl::StatusOr<Question> Read(const Tensors& request) const;
  // Row b's logits, of all tokens or of the last one.
  void Decode(const Question& question, size_t b, BartInstance& instance,
              std::vector<float>& logits) const;

  std::unique_ptr<BartInstances> bart_;
};

}  // namespace quaver
