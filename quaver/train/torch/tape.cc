// See tape.h.
#include "quaver/train/torch/tape.h"

#include <algorithm>
#include <cmath>

#include <torch/csrc/autograd/autograd.h>

#include "quaver/base/hash.h"
#include "quaver/train/torch/tape_parts.h"

namespace quaver {
namespace {

constexpr int64_t kPositionOffset = 2;  // of BART's position tables

// A weight's gradient += x, of whatever type.
void AddTo(const Weight& weight, const at::Tensor& x) {
  if (!x.is_cpu()) {
    weight.gradient.add_(x);
    return;
  }
  auto* to = Data<float>(weight.gradient);
  ForType(x.scalar_type(), [&](auto type) {
    using T = decltype(type);
    const T* from = Data<T>(x);
    at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
      quaver::AddTo(from, begin, end, to);
    });
  });
}

// table[ids[i]] += scale * x[i]; every thread has columns of its own, so that
// the order of additions does not depend on their number.
void AddRows(const at::Tensor& table, const at::Tensor& ids,
             const at::Tensor& x, double scale) {
  if (!x.is_cpu()) {
    table.index_add_(0, ids, x.to(at::kFloat), scale);
    return;
  }
  const auto* id = Data<int64_t>(ids);
  auto* to = Data<float>(table);
  const int64_t width = x.size(1);
  const at::Tensor source = scale == 1 ? x : x * scale;
  ForType(source.scalar_type(), [&](auto type) {
    using T = decltype(type);
    const T* from = Data<T>(source);
    at::parallel_for(0, width, 32, [&](int64_t begin, int64_t end) {
      for (int64_t row = 0; row < x.size(0); ++row) {
        quaver::AddTo(from + row * width, begin, end, to + id[row] * width);
      }
    });
  });
}

// The mask as factors for x, the same on every device.
at::Tensor KeptElements(const DropoutMask& mask, const at::Tensor& x) {
  const at::Tensor kept = at::ones(x.sizes(), at::kFloat);
  ApplyDropout(mask, 0, kept.numel(), Data<float>(kept));
  return kept.to(x.options());
}

}  // namespace

bool Tape::Fused(const at::Tensor& x) const {
  return x.is_cpu() && !config_.composite;
}

uint64_t Tape::NextSeed() { return Mix64(config_.seed + ++operations_); }

void Tape::Done(const Weight& weight) {
  const int left = --uses_[weight.begin];
  if (left == 0 && ready_) ready_(weight);
}

Ref Tape::Composite(
    const std::vector<Ref>& inputs, const std::vector<Weight>& weights,
    const std::function<at::Tensor(const std::vector<at::Tensor>&)>& forward) {
  std::vector<at::Tensor> leaves;
  for (const Ref& input : inputs) leaves.push_back(input->value.detach());
  for (const Weight& weight : weights) leaves.push_back(weight.value.detach());
  for (at::Tensor& leaf : leaves) leaf.requires_grad_(remembers());
  at::Tensor value;
  {
    const at::AutoGradMode mode(remembers());
    value = forward(leaves);
  }
  const Ref out = MakeNode(value.detach());
  if (!remembers()) return out;
  for (const Weight& weight : weights) Uses(weight);
  Push([this, inputs, weights, leaves, value, out] {
    const at::AutoGradMode mode(true);
    const auto gradients =
        torch::autograd::grad({value}, leaves, {out->gradient});
    const at::AutoGradMode no_mode(false);
    for (size_t i = 0; i < inputs.size(); ++i) {
      AddGradient(inputs[i], gradients[i]);
    }
    for (size_t i = 0; i < weights.size(); ++i) {
      AddTo(weights[i], gradients[inputs.size() + i]);
      Done(weights[i]);
    }
  });
  return out;
}

Ref Tape::Embed(const Rows& rows, const Weight& words, const Weight& positions,
                const Weight& gain, const Weight& bias, double scale) {
  at::Tensor looked_up = words.value.index_select(0, rows.ids);
  if (scale != 1) looked_up.mul_(scale);
  const Ref y = MakeNode(looked_up);
  const at::Tensor places = rows.positions + kPositionOffset;
  const Ref residual = MakeNode(positions.value.index_select(0, places));
  if (remembers()) {
    Uses(words);
    Uses(positions);
    Push([this, rows, places, words, positions, y, residual, scale] {
      AddRows(words.gradient, rows.ids, y->gradient, scale);
      AddRows(positions.gradient, places, residual->gradient, 1);
      Done(words);
      Done(positions);
    });
  }
  const TapeConfig config = config_;
  config_.dropout = 0;  // BART drops after this norm, not before
  const Ref out = AddNormalise(y, {}, residual, gain, bias);
  config_ = config;
  if (!remembers() || config_.dropout == 0) return out;
  const DropoutMask mask = MakeDropoutMask(config_.dropout, NextSeed());
  if (!Fused(out->value)) {
    const at::Tensor kept = KeptElements(mask, out->value);
    out->value.mul_(kept);
    Push([out, kept] { out->gradient.mul_(kept); });
    return out;
  }
  const auto drop = [mask](const at::Tensor& x) {
    ForType(x.scalar_type(), [&](auto type) {
      using T = decltype(type);
      at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
        ApplyDropout(mask, begin, end, Data<T>(x));
      });
    });
  };
  drop(out->value);
  Push([out, drop] { drop(out->gradient); });
  return out;
}

Ref Tape::Product(const Ref& x, const Weight& weight) {
  const Ref out = MakeNode(at::mm(x->value, weight.value.t()));
  if (!remembers()) return out;
  Uses(weight);
  Push([this, x, weight, out] {
    const at::Tensor& up = out->gradient;
    AddTo(weight, at::mm(up.t(), x->value));
    Done(weight);
    if (x->gradient.defined()) {
      x->gradient.addmm_(up, weight.value);
    } else {
      x->gradient = at::mm(up, weight.value);
    }
  });
  return out;
}

Ref Tape::AddNormalise(const Ref& y, const Weight& bias, const Ref& residual,
                       const Weight& gain, const Weight& norm_bias) {
  const int64_t rows = y->value.size(0), width = y->value.size(1);
  const double dropout = remembers() ? config_.dropout : 0;
  const DropoutMask mask =
      dropout > 0 ? MakeDropoutMask(dropout, NextSeed()) : DropoutMask();
  if (!Fused(y->value)) {
    std::vector<Weight> weights = {gain, norm_bias};
    if (bias.value.defined()) weights.push_back(bias);
    at::Tensor kept;
    if (dropout > 0) kept = KeptElements(mask, y->value);
    return Composite({y, residual}, weights, [=](const auto& leaves) {
      at::Tensor sum = leaves[0];
      if (leaves.size() > 4) sum = sum + leaves[4];
      if (kept.defined()) sum = sum * kept;
      sum = (sum + leaves[1]).to(at::kFloat);
      return at::layer_norm(sum, {width}, leaves[2].to(at::kFloat),
                            leaves[3].to(at::kFloat), 1e-5)
          .to(leaves[0].scalar_type());
    });
  }
  const at::Tensor sum = at::empty_like(y->value);
  const at::Tensor statistics =
      at::empty({2, rows}, sum.options().dtype(at::kFloat));
  const Ref out = MakeNode(at::empty_like(y->value));
  const auto run = [=](auto type, const auto& use) {
    using T = decltype(type);
    AddNorm<T> op;
    op.width = width;
    op.y = Data<T>(y->value);
    op.bias = Data<T>(bias.value);
    op.residual = Data<T>(residual->value);
    op.gamma = Data<float>(gain.master);
    op.beta = Data<float>(norm_bias.master);
    op.mask = mask;
    op.sum = Data<T>(sum);
    op.mean = Data<float>(statistics);
    op.rstd = op.mean + rows;
    op.out = Data<T>(out->value);
    use(op);
  };
  ForType(sum.scalar_type(), [&](auto type) {
    run(type, [&](const auto& op) {
      ForRows(rows, width,
              [&](int64_t begin, int64_t end) { op.Forward(begin, end); });
    });
  });
  if (!remembers()) return out;
  Uses(gain);
  Uses(norm_bias);
  if (bias.value.defined()) Uses(bias);
  Push([this, run, y, bias, residual, gain, norm_bias, out, rows, width, mask] {
    const at::Tensor to_residual = at::empty_like(out->value);
    const at::Tensor to_y =
        mask.threshold != 0 ? at::empty_like(out->value) : to_residual;
    const int threads = at::get_num_threads();
    const at::Tensor sums = at::zeros({threads, 2, width}, at::kFloat);
    ForType(out->value.scalar_type(), [&](auto type) {
      using T = decltype(type);
      run(type, [&](const auto& op) {
        ForRows(rows, width, [&](int64_t begin, int64_t end) {
          float* own = Data<float>(sums) + 2 * width * at::get_thread_num();
          op.Backward(begin, end, Data<T>(out->gradient), Data<T>(to_residual),
                      Data<T>(to_y), own, own + width);
        });
      });
    });
    const at::Tensor total = sums.sum(0);
    AddTo(gain, total.select(0, 0).contiguous());
    AddTo(norm_bias, total.select(0, 1).contiguous());
    if (bias.value.defined()) {
      AddColumns(bias, to_y);
      Done(bias);
    }
    Done(gain);
    Done(norm_bias);
    // Both may be one tensor: y was computed after residual, so its gradient is
    // read before residual's is added to.
    AddGradient(residual, to_residual);
    AddGradient(y, to_y);
  });
  return out;
}

Ref Tape::Gelu(const Ref& x, const Weight& bias) {
  if (!Fused(x->value)) {
    return Composite({x}, {bias}, [](const auto& leaves) {
      return at::gelu(leaves[0] + leaves[1]);
    });
  }
  const int64_t rows = x->value.size(0), width = x->value.size(1);
  const Ref out = MakeNode(at::empty_like(x->value));
  ForType(x->value.scalar_type(), [&](auto type) {
    using T = decltype(type);
    const BiasGelu<T> op = {width, Data<T>(bias.value)};
    ForRows(rows, width, [&](int64_t begin, int64_t end) {
      op.Forward(begin, end, Data<T>(x->value), Data<T>(out->value));
    });
  });
  if (!remembers()) return out;
  Uses(bias);
  Push([this, x, bias, out, rows, width] {
    ForType(x->value.scalar_type(), [&](auto type) {
      using T = decltype(type);
      const BiasGelu<T> op = {width, nullptr};
      ForRows(rows, width, [&](int64_t begin, int64_t end) {
        op.Backward(begin, end, Data<T>(x->value), Data<T>(out->gradient));
      });
    });
    AddColumns(bias, out->gradient);
    Done(bias);
    AddGradient(x, out->gradient);
  });
  return out;
}

LossResult Tape::Loss(const Ref& x, const Weight& words,
                      const at::Tensor& labels, double smoothing, double scale,
                      int64_t logits_bytes) {
  const int64_t rows = x->value.size(0), vocab = words.value.size(0);
  LossResult result = {at::empty({rows}, at::kFloat),
                       at::empty({rows}, at::kByte)};
  if (remembers()) {
    x->gradient = at::empty_like(x->value);
    Uses(words);
  }
  const int64_t row_bytes =
      vocab * static_cast<int64_t>(x->value.element_size());
  constexpr int64_t kStep = 64;  // so that products have few shapes
  const int64_t step =
      std::max<int64_t>(1, logits_bytes / row_bytes / kStep) * kStep;
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t count = std::min(step, rows - begin);
    const at::Tensor part = x->value.narrow(0, begin, count);
    at::Tensor logits = at::mm(part, words.value.t());
    const at::Tensor some = labels.narrow(0, begin, count);
    if (x->value.is_cpu()) {
      ForType(logits.scalar_type(), [&](auto type) {
        using T = decltype(type);
        const CrossEntropy<T> op = {vocab, static_cast<float>(smoothing),
                                    static_cast<float>(scale),
                                    Data<int32_t>(some)};
        ForRows(count, vocab, [&](int64_t from, int64_t to) {
          op.Run(from, to, Data<T>(logits), Data<float>(result.loss) + begin,
                 Data<uint8_t>(result.right) + begin);
        });
      });
    } else {
      const at::Tensor label = some.to(logits.device(), at::kLong);
      const at::Tensor counts = label.ge(0);
      const at::Tensor own = label.clamp_min(0).unsqueeze(1);
      const at::Tensor wide = logits.to(at::kFloat);
      const at::Tensor log_p = at::log_softmax(wide, 1);
      const at::Tensor lost =
          -(1 - smoothing) * log_p.gather(1, own).squeeze(1) -
          smoothing * log_p.mean(1);
      result.loss.narrow(0, begin, count).copy_(lost * counts);
      result.right.narrow(0, begin, count)
          .copy_(wide.argmax(1).eq(label).to(at::kByte));
      at::Tensor target = at::full_like(log_p, smoothing / vocab);
      target.scatter_add_(1, own,
                          at::full_like(target.narrow(1, 0, 1), 1 - smoothing));
      logits = ((log_p.exp() - target) * (counts.unsqueeze(1) * scale))
                   .to(logits.scalar_type());
    }
    if (!remembers()) continue;
    at::Tensor to = x->gradient.narrow(0, begin, count);
    at::mm_out(to, logits, words.value);
    AddTo(words, at::mm(logits.t(), part));
  }
  if (remembers()) Done(words);
  return result;
}

at::Tensor Tape::Logits(const Ref& x, const Weight& words) const {
  return at::mm(x->value, words.value.t());
}

void Tape::Backward(const std::function<void(const Weight&)>& ready) {
  ready_ = ready;
  while (!steps_.empty()) {
    steps_.back()();
    steps_.pop_back();
  }
  uses_.clear();
  ready_ = {};
}

}  // namespace quaver
