// AdamW over flat parameters, or Muon for the matrices between the tables; with
// clipping and an average of the weights.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "quaver/train/team.h"
#include "quaver/train/torch/parameters.h"

namespace quaver {

struct OptimizerConfig {
  double beta1 = 0.9, beta2 = 0.98;
  double epsilon = 1e-8;
  double weight_decay = 0.01;  // of matrices
  double clip = 1;             // greatest norm of the gradient; 0: none
  // The weights' exponential average (Polyak and Juditsky 1992); 0: none. It
  // grows from nothing: at step t at most (1 + t) / (10 + t).
  double average = 0;
  bool fused = true;  // false: libtorch's operations, as off CPU
  // The layers' matrices by Muon (muon.h); tables, biases and norms by AdamW.
  bool muon = false;
  double momentum = 0.95;  // Muon's
};

// Calls body on blocks of [first, last), side by side, each block by the same
// worker every time.
void ForBlocks(Team& team, int64_t first, int64_t last,
               const std::function<void(int64_t begin, int64_t end)>& body);

class Optimizer {
 public:
  // REQUIRES: `parameters` with moments. Both must outlive it; the team's
  // threads share the work on CPU.
  Optimizer(Parameters& parameters, Team& team, const OptimizerConfig& config);

  // One update by the gradient times `scale`; clears it. `step` counts from 1.
  // Returns the gradient's norm after scaling, before clipping; where that is
  // no number nothing is changed but the gradient, which is cleared.
  double Step(int64_t step, double learning_rate, double scale = 1);

  // Undefined without averaging.
  at::Tensor& average() { return average_; }

 private:
  double Norm();
  // AdamW's update of [begin, end).
  void StepOnCpu(int64_t begin, int64_t end, double weight_decay, int64_t step,
                 double learning_rate, double scale);
  void StepOnDevice(int64_t begin, int64_t end, double weight_decay,
                    int64_t step, double learning_rate, double scale);
  // Muon's of all layers' matrices, each by one worker.
  void StepMatrices(int64_t step, double learning_rate, double scale);
  void StepMatrix(const Parameters::Entry& entry, int64_t step,
                  double learning_rate, double scale);
  double AverageDecay(int64_t step) const;

  Parameters& parameters_;
  Team& team_;
  const OptimizerConfig config_;
  at::Tensor average_;
  // Muon's matrices, a list for each worker.
  std::vector<std::vector<Parameters::Entry>> matrices_;
};

}  // namespace quaver
