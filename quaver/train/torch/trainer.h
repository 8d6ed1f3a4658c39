// One model being trained: steps, judging, answering.
//
// On CPU every worker computes parts of the batch by itself, on one core, with
// a gradient of its own, and all meet once an update: products of one core use
// it better than products that several share, and nobody waits between them.
// Elsewhere one worker asks the device.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/train/batch.h"
#include "quaver/train/held_out.h"
#include "quaver/train/team.h"
#include "quaver/train/torch/bart.h"
#include "quaver/train/torch/optimizer.h"
#include "quaver/train/torch/reducer.h"

namespace quaver {

struct TrainerConfig {
  BartShape shape;
  at::ScalarType compute = at::kBFloat16;
  at::Device device = at::kCPU;
  int workers = 0;  // 0: as many as there are cores; 1 off CPU
  // Threads of a worker's products; more than one only to compare with others.
  int threads_of_worker = 1;
  int64_t micro_tokens = 4'096;
  int64_t logits_bytes = int64_t{32} << 20;  // kept at once, of a worker
  double dropout = 0;
  double label_smoothing = 0;
  bool padded = false;     // compute padding too, as others do
  bool composite = false;  // libtorch's operations instead of ours
  OptimizerConfig optimizer;
  uint64_t seed = 1;
};

struct StepResult {
  double loss = 0;           // nats a target token
  double gradient_norm = 0;  // before clipping
  int64_t tokens = 0;        // useful ones, of all processes
  bool updated = true;  // false: no finite gradient; a smaller scale is tried
};

class Trainer {
 public:
  // `reducer` joins several processes; null for one. It must outlive it.
  explicit Trainer(const TrainerConfig& config, Reducer* reducer = nullptr);
  ~Trainer();

  // One update by the mean gradient of the batch's target tokens. `step` counts
  // from 1 and seeds dropout. With several processes: their part of the batch.
  StepResult Step(const Batch& batch, int64_t step, double learning_rate);

  // With the averaged weights where there are any.
  Figures Evaluate(const std::vector<HeldOutSet>& sets);

  // Greedy answers to sources, without start and end, at most `max_tokens`:
  // what Hugging Face's generate gives, with the weights as they are.
  std::vector<std::vector<int32_t>> Answer(const PackedTexts& sources,
                                           int64_t max_tokens);

  Parameters& parameters();
  Optimizer& optimizer();
  Team& team();
  double loss_scale() const;  // of fp16; 1 otherwise
  void set_loss_scale(double scale);
  // The weights that are judged: averaged ones, or else the weights.
  at::Tensor judged_weights();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// bfloat16 where the processor multiplies it fast, else float; half on a device
// without bfloat16. `precision` is "auto", "bf16", "fp16" or "fp32".
// Unimplemented for fp16 on CPU.
absl::StatusOr<at::ScalarType> ChooseType(const std::string& precision,
                                          at::Device device);
// "auto", "cpu", "cuda": CUDA where there is one. FailedPrecondition when one
// is asked for that is not there.
absl::StatusOr<at::Device> ChooseDevice(const std::string& name, int gpu = 0);

}  // namespace quaver
