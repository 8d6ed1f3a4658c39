// The spell corrector's model as a servable: a query in, corrections out.
//
//   ASSIGN_OR_RETURN(auto corrector, CorrectorServable::Create(
//       {.model_folder = "models/corrector"}, BestKernels()));
//   corrector->Infer({text, drafts, n_best});
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/engine/bart.h"
#include "quaver/engine/generation.h"
#include "quaver/sched/continuous_batcher.h"
#include "quaver/sched/servable.h"
#include "quaver/text/bpe.h"

namespace quaver {

struct CorrectorConfig {
  std::string model_folder;
  // That compute at once; 0: as cores are enough for.
  int num_instances = 0;
  // Calls of an instance at once. With the shipped model more than one serves
  // up to a fifth more past capacity, and has a p99 1.4 to 5 times as long
  // below it: a pass takes almost as much longer as it has rows.
  int max_requests = 1;
  int max_waiting = 1024;  // further calls in line before ResourceExhausted
  int threads_per_instance = 1;  // as EncoderConfig's
  std::vector<int> cores;        // as EncoderConfig's
};

// Inputs
//   TEXT BYTES[1]      in the form that the model was trained on
//   DRAFTS BYTES[C]    optional: guesses of the answer, whose probability is
//                      told
//   N_BEST INT32[1]    optional, 1 to kMaxBest: answers wanted; else 1
// Outputs
//   CORRECTED BYTES[n]   the greedy answer, then others, best first, no two
//                        alike: UTF-8 without control characters or spaces
//                        around; n <= N_BEST
//   SCORE FP32[n]        natural logarithms of their probabilities
//   DRAFT_SCORE FP32[C]  of the drafts, in their order
//   PASSES INT32[1]      of the decoder, all in all
//
// Thread-safe. Calls that come while all instances are busy share them
// (continuous_batcher.h), in the callers' threads: the encoder once, then a
// pass of the decoder for all that is wanted where the answer is near the text
// or a draft, and two or three for the answers beside it. Company changes no
// answer and no score. It may take drafts' rows, so that PASSES grow; only
// where a further answer would need more than 8 passes may it be left out for
// that.
//
// For a vocabulary of 8,192 and a width of 256 an instance has about 5 MiB and
// 3 MiB for each of max_requests.
class CorrectorServable : public Servable {
 public:
  static constexpr int kMaxBest = 9;
  // Of the drafts, those that come first; more score minus infinity.
  static constexpr size_t kMaxScored = 16;
  // Tokens of a text or a draft, <s> and </s> included, where the model has
  // as many positions.
  static constexpr int kMaxTokens = 64;
  static constexpr size_t kMaxBytes = 2048;

  // Errors as BartModel::Load's and Bpe::Load's.
  static absl::StatusOr<std::unique_ptr<CorrectorServable>> Create(
      const CorrectorConfig& config, const Kernels& kernels);

  std::vector<TensorSpec> inputs() const override;
  std::vector<TensorSpec> outputs() const override;
  using Servable::Infer;
  // Any bytes. A text that is empty or too long has no answers, 0 passes, and
  // drafts that score minus infinity; so does a draft that is too long.
  // Refuses what is late or cancelled when its turn comes, and leaves it
  // between two passes.
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override;
  ServableCounts counts() const override {
    return {.steps = batcher_->statistics()};
  }

 private:
  struct Query;
  struct Task;
  // A generator and its tasks by their ids, null where there is none.
  struct Instance {
    std::unique_ptr<Generator> generator;
    std::vector<Task*> tasks;  // [max_requests]
    std::optional<int> core;   // of the calling thread
  };
  CorrectorServable(const CorrectorConfig& config,
                    std::unique_ptr<const BartModel> model,
                    std::unique_ptr<const Bpe> tokenizer);
  static absl::Status Add(Instance& instance, Task& task);
  static std::vector<SteppedItem*> Step(Instance& instance);
  static void Remove(Instance& instance, const Task& task);
  static absl::StatusOr<Query> Read(const Tensors& request);
  // No ids when the text is too long.
  std::vector<int32_t> Tokenize(const std::string& text) const;
  std::string AnswerText(const std::vector<int32_t>& tokens) const;
  Tensors Write(const Query& query, const Generated& found) const;

  std::unique_ptr<const BartModel> model_;
  std::unique_ptr<const Bpe> tokenizer_;
  int max_tokens_;
  std::vector<Instance> instances_;
  std::unique_ptr<ContinuousBatcher> batcher_;
};

}  // namespace quaver
