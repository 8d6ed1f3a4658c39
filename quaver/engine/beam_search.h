// Beam search: the likeliest answers of a BART, as Hugging Face's generate()
// finds them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "quaver/engine/generation.h"

namespace quaver {

struct BeamOptions {
  int num_beams = 4;
  int num_answers = 1;       // best first; at most num_beams
  float length_penalty = 1;  // a score is divided by length to this power
  // When the search ends: kAll once as many answers as beams are whole; kLikely
  // once no beam, at its length, is better than the worst of them; kNever once
  // none can become so.
  enum class Stop { kAll, kLikely, kNever } stop = Stop::kLikely;
  GenerationOptions generation;
};

// One source at a time, one thread. Memory is taken when it is made.
class BeamSearch {
 public:
  // `model` must outlive it. Of `limits` the lengths count.
  BeamSearch(const BartModel& model, int max_beams,
             const GeneratorLimits& limits);
  ~BeamSearch();

  // Answers, best first; `score` is the logarithm of the probability over the
  // length to the power of length_penalty. InvalidArgument as Generator::Add.
  // At most max_new_tokens passes.
  absl::StatusOr<std::vector<Generated>> Run(std::span<const int32_t> source,
                                             const BeamOptions& options);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quaver
