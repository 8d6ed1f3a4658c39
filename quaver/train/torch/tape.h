// Forward computation that remembers how to go back.
//
// Each operation computes its value at once and pushes a function that, given
// the gradient of its value, adds to those of its inputs; Backward runs them
// last to first. On CPU the fused loops of fused.h do the work between two
// products; elsewhere (and where `composite` asks for it, as tests do)
// libtorch's own operations and its autograd do.
//
// Rows of a batch are the tokens of its texts one after the other: there is no
// padding.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include <ATen/ATen.h>

#include "quaver/train/torch/parameters.h"

namespace quaver {

struct Node {
  at::Tensor value;
  at::Tensor gradient;  // undefined until something flows back
};
using Ref = std::shared_ptr<Node>;

// Texts of a batch: text s has rows [offsets[s], offsets[s + 1]). int32 on CPU.
struct Rows {
  at::Tensor offsets;    // [texts + 1]
  at::Tensor counts;     // [texts] rows that count, or undefined: all
  at::Tensor ids;        // [rows] int64, on the device
  at::Tensor positions;  // [rows] int64, on the device
  int64_t texts() const { return offsets.size(0) - 1; }
  int64_t rows() const { return ids.size(0); }
};

struct TapeConfig {
  bool training = true;  // false: nothing is remembered
  bool composite = false;
  double dropout = 0;
  uint64_t seed = 0;  // of this batch's dropout
};

struct LossResult {
  at::Tensor loss;   // [rows] float, 0 where nothing counts
  at::Tensor right;  // [rows] uint8: the label has the greatest logit
};

class Tape {
 public:
  explicit Tape(TapeConfig config) : config_(config) {}

  // Rows of the word table (times `scale`) plus those of positions, which begin
  // at the table's row 2, normalised, some dropped.
  Ref Embed(const Rows& rows, const Weight& words, const Weight& positions,
            const Weight& gain, const Weight& bias, double scale);
  // x [rows, in] times the transposed weight [out, in].
  Ref Product(const Ref& x, const Weight& weight);
  // norm(residual + dropout(y + bias)).
  Ref AddNormalise(const Ref& y, const Weight& bias, const Ref& residual,
                   const Weight& gain, const Weight& norm_bias);
  // The value of x is used up.
  Ref Gelu(const Ref& x, const Weight& bias);
  // qkv [rows, 3 width], bias [3 width].
  Ref SelfAttention(const Ref& qkv, const Weight& bias, const Rows& rows,
                    int64_t heads, bool causal);
  // q [rows, width], kv [others, 2 width].
  Ref CrossAttention(const Ref& q, const Weight& q_bias, const Ref& kv,
                     const Weight& kv_bias, const Rows& rows,
                     const Rows& others, int64_t heads);

  // Cross entropy of x times the word table against labels [rows] (int32 on
  // CPU, kNoLabel: not counted), `logits_bytes` of logits at a time. The
  // gradient of the losses' sum times `scale` flows back.
  LossResult Loss(const Ref& x, const Weight& words, const at::Tensor& labels,
                  double smoothing, double scale, int64_t logits_bytes);
  // The logits themselves, for tests and generation.
  at::Tensor Logits(const Ref& x, const Weight& words) const;

  // Runs back, freeing what was kept. `ready` is called for a weight once its
  // gradient is complete.
  void Backward(const std::function<void(const Weight&)>& ready = {});

 private:
  bool Fused(const at::Tensor& x) const;
  bool remembers() const { return config_.training; }
  void Push(std::function<void()> step) { steps_.push_back(std::move(step)); }
  // Notes that a gradient of the weight will be added to on the way back, and
  // that it has been.
  void Uses(const Weight& weight) { ++uses_[weight.begin]; }
  void Done(const Weight& weight);
  uint64_t NextSeed();
  Ref Attend(const Ref& q, const Ref& kv, bool self, const Weight& q_bias,
             const Weight& kv_bias, const Rows& rows, const Rows& others,
             int64_t heads, bool causal);
  // Runs `forward` over the inputs with libtorch's autograd and remembers it.
  Ref Composite(
      const std::vector<Ref>& inputs, const std::vector<Weight>& weights,
      const std::function<at::Tensor(const std::vector<at::Tensor>&)>& forward);

  TapeConfig config_;
  std::vector<std::function<void()>> steps_;
  std::map<int64_t, int> uses_;
  std::function<void(const Weight&)> ready_;
  uint64_t operations_ = 0;
};

}  // namespace quaver
