// See optimizer.h.
#include "quaver/train/torch/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "quaver/base/check.h"
#include "quaver/train/fused.h"
#include "quaver/train/torch/muon.h"

namespace quaver {
namespace {

// Sums are taken block by block and then in order, whatever the threads do.
constexpr int64_t kBlock = 1 << 14;

}  // namespace

void ForBlocks(Team& team, int64_t first, int64_t last,
               const std::function<void(int64_t begin, int64_t end)>& body) {
  team.Run([&](int worker) {
    for (int64_t begin = first + worker * kBlock; begin < last;
         begin += team.size() * kBlock) {
      body(begin, std::min(last, begin + kBlock));
    }
  });
}

Optimizer::Optimizer(Parameters& parameters, Team& team,
                     const OptimizerConfig& config)
    : parameters_(parameters), team_(team), config_(config) {
  QUAVER_CHECK(parameters.moment1().defined());
  if (config.average > 0) average_ = parameters.master().clone();
  if (!config.muon) return;
  matrices_.resize(team.size());
  std::vector<int64_t> work(team.size());
  for (const Parameters::Entry& entry : parameters.entries()) {
    if (entry.begin < parameters.layers() || entry.shape.size() != 2) continue;
    const auto least = std::min_element(work.begin(), work.end());
    *least += entry.shape[0] * entry.shape[1];
    matrices_[least - work.begin()].push_back(entry);
  }
}

double Optimizer::Norm() {
  const at::Tensor& gradient = parameters_.gradient();
  if (!gradient.is_cpu()) return gradient.norm().item<double>();
  const auto* values = gradient.data_ptr<float>();
  std::vector<double> sums(parameters_.size() / kBlock + 1);
  ForBlocks(team_, 0, parameters_.size(), [&](int64_t begin, int64_t end) {
    sums[begin / kBlock] = SquareSum(values, begin, end);
  });
  return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
}

double Optimizer::AverageDecay(int64_t step) const {
  const auto t = static_cast<double>(step);
  return std::min(config_.average, (1 + t) / (10 + t));
}

double Optimizer::Step(int64_t step, double learning_rate, double scale) {
  const double norm = scale * Norm();
  if (!std::isfinite(norm)) {
    parameters_.gradient().zero_();
    return norm;
  }
  if (config_.clip > 0 && norm > config_.clip) scale *= config_.clip / norm;
  const bool on_cpu = parameters_.master().is_cpu() && config_.fused;
  const auto adam_w = [&](int64_t begin, int64_t end, double weight_decay) {
    if (on_cpu) {
      StepOnCpu(begin, end, weight_decay, step, learning_rate, scale);
    } else {
      StepOnDevice(begin, end, weight_decay, step, learning_rate, scale);
    }
  };
  const int64_t matrices = parameters_.decayed();
  adam_w(0, config_.muon ? parameters_.layers() : matrices,
         config_.weight_decay);
  adam_w(matrices, parameters_.size(), 0);
  if (config_.muon) StepMatrices(step, learning_rate, scale);
  if (!on_cpu) parameters_.SyncShadow();
  return norm;
}

void Optimizer::StepOnCpu(int64_t first, int64_t last, double weight_decay,
                          int64_t step, double learning_rate, double scale) {
  const auto t = static_cast<double>(step);
  AdamW op;
  op.learning_rate = static_cast<float>(learning_rate);
  op.beta1 = static_cast<float>(config_.beta1);
  op.beta2 = static_cast<float>(config_.beta2);
  op.epsilon = static_cast<float>(config_.epsilon);
  op.weight_decay = static_cast<float>(weight_decay);
  op.correction1 = static_cast<float>(1 - std::pow(config_.beta1, t));
  op.correction2 = static_cast<float>(1 - std::pow(config_.beta2, t));
  op.gradient_scale = static_cast<float>(scale);
  op.weights = parameters_.master().data_ptr<float>();
  op.gradient = parameters_.gradient().data_ptr<float>();
  op.moment1 = parameters_.moment1().data_ptr<float>();
  op.moment2 = parameters_.moment2().data_ptr<float>();
  if (average_.defined()) {
    op.average = average_.data_ptr<float>();
    op.average_decay = static_cast<float>(AverageDecay(step));
  }
  if (parameters_.shadow().defined()) {
    op.shadow = static_cast<Bf16*>(parameters_.shadow().data_ptr());
  }
  ForBlocks(team_, first, last, [&](int64_t begin, int64_t end) {
    // In parts that stay in the cache between the loops over them.
    for (int64_t i = begin; i < end; i += 4'096) {
      op.Run(i, std::min(end, i + 4'096));
    }
  });
}

void Optimizer::StepOnDevice(int64_t begin, int64_t end, double weight_decay,
                             int64_t step, double learning_rate, double scale) {
  const auto t = static_cast<double>(step);
  const auto range = [&](const at::Tensor& flat) {
    return flat.slice(0, begin, end);
  };
  at::Tensor gradient = range(parameters_.gradient());
  gradient.mul_(scale);
  at::Tensor m = range(parameters_.moment1());
  at::Tensor v = range(parameters_.moment2());
  m.mul_(config_.beta1).add_(gradient, 1 - config_.beta1);
  v.mul_(config_.beta2).addcmul_(gradient, gradient, 1 - config_.beta2);
  const at::Tensor deviation =
      v.sqrt()
          .div_(std::sqrt(1 - std::pow(config_.beta2, t)))
          .add_(config_.epsilon);
  at::Tensor weights = range(parameters_.master());
  weights.mul_(1 - learning_rate * weight_decay)
      .addcdiv_(m, deviation,
                -learning_rate / (1 - std::pow(config_.beta1, t)));
  gradient.zero_();
  if (average_.defined()) {
    range(average_).lerp_(weights, 1 - AverageDecay(step));
  }
}

void Optimizer::StepMatrices(int64_t step, double learning_rate, double scale) {
  team_.Run([&](int worker) {
    const at::NoGradGuard no_autograd;
    for (const Parameters::Entry& entry : matrices_[worker]) {
      StepMatrix(entry, step, learning_rate, scale);
    }
  });
}

void Optimizer::StepMatrix(const Parameters::Entry& entry, int64_t step,
                           double learning_rate, double scale) {
  const int64_t end = entry.begin + entry.shape[0] * entry.shape[1];
  const auto matrix = [&](const at::Tensor& flat) {
    return flat.slice(0, entry.begin, end).view(entry.shape);
  };
  at::Tensor gradient = matrix(parameters_.gradient());
  at::Tensor momentum = matrix(parameters_.moment1());
  at::Tensor weights = matrix(parameters_.master());
  const at::Tensor update = MuonUpdate(gradient, scale, config_.momentum,
                                       parameters_.compute(), momentum);
  if (update.is_cpu() && update.scalar_type() == at::kBFloat16) {
    DirectedStep op;
    op.learning_rate = static_cast<float>(learning_rate);
    op.weight_decay = static_cast<float>(config_.weight_decay);
    op.direction = static_cast<const Bf16*>(update.data_ptr());
    op.weights = weights.data_ptr<float>();
    op.gradient = gradient.data_ptr<float>();
    if (average_.defined()) {
      op.average = matrix(average_).data_ptr<float>();
      op.average_decay = static_cast<float>(AverageDecay(step));
    }
    if (parameters_.shadow().defined()) {
      op.shadow = static_cast<Bf16*>(matrix(parameters_.shadow()).data_ptr());
    }
    op.Run(0, update.numel());
    return;
  }
  weights.mul_(1 - learning_rate * config_.weight_decay)
      .sub_(update.to(at::kFloat), learning_rate);
  gradient.zero_();
  if (average_.defined()) {
    matrix(average_).lerp_(weights, 1 - AverageDecay(step));
  }
  if (parameters_.shadow().defined()) {
    matrix(parameters_.shadow()).copy_(weights);
  }
}

}  // namespace quaver
