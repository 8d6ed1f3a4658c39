// Everything that decides how a corrector comes out: a plain, readable file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "quaver/base/status.h"
#include "quaver/noise/pairs.h"

namespace quaver {

struct Recipe {
  std::string preset = "small";
  uint64_t seed = 1;
  int64_t vocab_size = 8'192;  // of a tokenizer that is trained
  int64_t max_tokens = 64;     // of a text, with what stands around it

  int64_t steps = 20'000;
  int64_t batch_pairs = 512;       // pairs an update sees, over all processes
  int64_t micro_tokens = 4'096;    // tokens computed at once by a worker
  bool padding = false;            // to the longest text, as most trainers do
  std::string precision = "auto";  // bf16 where the processor has it, else fp32

  std::string optimizer = "muon";  // for the layers' matrices, or "adamw"
  double learning_rate = 1e-3;
  int64_t warmup = 500;               // updates until it is reached
  std::string schedule = "cosine";    // "linear", "constant": how it falls
  double final_learning_rate = 0.05;  // share left at the last step
  double weight_decay = 0.01;
  double clip = 1;
  double average = 0.999;  // of the weights that are judged and kept; 0: none
  double label_smoothing = 0;
  double dropout = 0;
  double bpe_dropout = 0;  // of merges, where a text is read (text/bpe.h)

  int64_t evaluate_every = 1'000;
  int64_t held_out_rows = 500;  // of each set
  double enough = 2;            // a score of this or more: stop
  int64_t patience = 10;        // evaluations without a better one: stop; 0: no
  int64_t checkpoint_every = 1'000;
  PairConfig pairs;

  bool operator==(const Recipe&) const = default;
};

// The preset's recipe: "tiny", "small", "base", "bench". InvalidArgument for
// others.
absl::StatusOr<Recipe> PresetRecipe(std::string_view preset);

// A recipe as JSON, and one changed by a JSON object of some of its fields.
// InvalidArgument naming a field that does not exist, has another type or a
// value out of its range.
std::string ToJson(const Recipe& recipe);
absl::StatusOr<Recipe> ApplyJson(Recipe recipe, std::string_view json);
absl::Status CheckRecipe(const Recipe& recipe);

// The rate of update `step`, from 1.
double LearningRate(const Recipe& recipe, int64_t step);

}  // namespace quaver
