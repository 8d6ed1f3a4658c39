// `quaver-train bench`: what each part of the recipe is worth on this machine.
#pragma once

#include <ostream>
#include <string>

#include "quaver/base/status.h"

namespace quaver {

struct TrainBenchOptions {
  std::string preset = "small";   // 256 wide, 3 + 3 layers; or base
  double rival_tokens_per_s = 0;  // of another trainer's reference recipe
  int rounds = 3;                 // over all rungs; medians count
  double seconds = 4;             // of a rung and round, at least
  bool json = false;
};

// Trains on random texts of a search bar's lengths with random weights: times,
// not quality. From the reference recipe (fp32, 32 pairs, padding, libtorch's
// operations, one product at a time on all cores) to ours, one change after the
// other. Writes a table, or as the last line
//   {"preset","reference_tokens_per_s","tokens_per_s","speedup","mfu",
//    "gemm_peak_gflops","ladder":[{"change","tokens_per_s","gain"}...]}
// Tokens are useful ones, padding left out. The reference is the faster of ours
// and the rival's.
absl::Status RunTrainBench(const TrainBenchOptions& options, std::ostream& out);

}  // namespace quaver
