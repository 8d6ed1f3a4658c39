// The spell corrector's model as a servable: a query in, corrections out.
//
//   ASSIGN_OR_RETURN(auto corrector, CorrectorServable::Create(
//       {.model_folder = "models/corrector"}, BestKernels()));
//   corrector->Infer({text, drafts, n_best});
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/mutex.h"
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
  // Natural logarithm of the least probability that an answer beside the first
  // begins with. At -4 four queries in ten take a pass more than at -2.5, and
  // two of 5,000 are mended that are not at -2.5.
  double least_alternative = -2.5;
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
//                        around; at most N_BEST
//   SCORE FP32[n]        natural logarithms of their probabilities
//   DRAFT_SCORE FP32[C]  of the drafts, in their order
//   PASSES INT32[1]      of the decoder, all in all
//
// Thread-safe. Calls that come while all instances are busy share them
// (continuous_batcher.h), in the callers' threads: the encoder once, then a
// pass of the decoder for all that is wanted where the answer is near the text
// or a draft, and one to three for answers beside it that are no drafts.
// Company changes no answer and no score. It may take drafts' rows, so that
// PASSES grow; only where a further answer would need more than 8 passes may it
// be left out for that.
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
  // As ContinuousBatcher::Resize; 0: as many as by default. Instances share the
  // weights; what is missing is made first, the rest freed at the end. Where
  // their number changes the size of their teams, all are made anew; an
  // instance that has calls takes the new team when it has none.
  absl::Status Resize(int num_instances) override
      ABSL_LOCKS_EXCLUDED(mutex_, resizing_);

 private:
  struct Query;
  struct Task;
  struct Instance;
  using Instances = std::vector<std::shared_ptr<Instance>>;
  CorrectorServable(const CorrectorConfig& config,
                    std::unique_ptr<const BartModel> model,
                    std::unique_ptr<const Bpe> tokenizer);
  // So many, those that are there and fit among them.
  Instances MakeInstances(int count) const ABSL_LOCKS_EXCLUDED(mutex_);
  void SetInstances(Instances instances) ABSL_LOCKS_EXCLUDED(mutex_);
  // Instances of the batcher, by number.
  absl::Status Add(int number, Task& task) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<SteppedItem*> Step(int number) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(int number, const Task& task) ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<Instance> Use(int number) ABSL_LOCKS_EXCLUDED(mutex_);
  void LeaveIfIdle(int number, const Instance& instance)
      ABSL_LOCKS_EXCLUDED(mutex_);
  static absl::StatusOr<Query> Read(const Tensors& request);
  // No ids when the text is too long.
  std::vector<int32_t> Tokenize(const std::string& text) const;
  std::string AnswerText(const std::vector<int32_t>& tokens) const;
  Tensors Write(const Query& query, const Generated& found) const;

  const std::unique_ptr<const BartModel> model_;
  const std::unique_ptr<const Bpe> tokenizer_;
  const GeneratorLimits limits_;
  const double least_alternative_;
  const int threads_per_instance_;
  const std::vector<int> cores_;
  Mutex resizing_;  // held by Resize, before mutex_
  mutable Mutex mutex_;
  // By number: what calls begin on, and what has calls, else null.
  Instances instances_ ABSL_GUARDED_BY(mutex_);
  Instances used_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<ContinuousBatcher> batcher_;
};

}  // namespace quaver
