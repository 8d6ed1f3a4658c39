// See muon.h.
#include "quaver/train/torch/muon.h"

#include <algorithm>
#include <cmath>

#include "quaver/base/check.h"
#include "quaver/train/fused.h"

namespace quaver {
namespace {

constexpr int kSteps = 5;
constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;
constexpr double kRms = 0.2;

// `x` has no singular value above 1.
at::Tensor Iterated(at::Tensor x) {
  const bool tall = x.size(0) > x.size(1);
  for (int i = 0; i < kSteps; ++i) {
    // The smaller of the two Gram matrices does for both sides.
    const at::Tensor gram = tall ? at::mm(x.t(), x) : at::mm(x, x.t());
    const at::Tensor factor = at::addmm(gram, gram, gram, kB, kC);
    x = tall ? at::addmm(x, x, factor, kA) : at::addmm(x, factor, x, kA);
  }
  return x;
}

}  // namespace

at::Tensor Orthogonalised(const at::Tensor& matrix) {
  QUAVER_CHECK(matrix.dim() == 2);
  // No singular value is above the Frobenius norm.
  return Iterated(
      matrix.div(matrix.to(at::kFloat).norm().item<double>() + 1e-7));
}

at::Tensor MuonUpdate(const at::Tensor& gradient, double scale, double decay,
                      at::ScalarType compute, at::Tensor& momentum) {
  at::Tensor ahead;
  if (gradient.is_cpu() && compute == at::kBFloat16) {
    ahead = at::empty_like(gradient, compute);
    const double squares = Momentum(
        gradient.data_ptr<float>(), static_cast<float>(scale),
        static_cast<float>(decay), 0, gradient.numel(),
        momentum.data_ptr<float>(), static_cast<Bf16*>(ahead.data_ptr()));
    ahead.div_(std::sqrt(squares) + 1e-7);
  } else {
    momentum.mul_(decay).add_(gradient, scale);
    ahead = at::mul(momentum, decay).add_(gradient, scale);
    // Still in float: half has no room for small gradients.
    ahead = ahead.div_(ahead.norm().add_(1e-7)).to(compute);
  }
  const double size = kRms * std::sqrt(static_cast<double>(
                                 std::max(gradient.size(0), gradient.size(1))));
  return Iterated(ahead).mul_(size);
}

}  // namespace quaver
