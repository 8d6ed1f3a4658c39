// See peak.h.
#include "quaver/train/torch/peak.h"

#include <algorithm>
#include <vector>

#include "quaver/base/clock.h"

namespace quaver {
namespace {

// Rows, inner and outer width: square, and as in a wide and a narrow model.
constexpr int64_t kShapes[][3] = {
    {2'048, 2'048, 2'048}, {2'048, 768, 3'072}, {4'096, 256, 1'024}};
constexpr int64_t kMicroseconds = 400'000;

}  // namespace

double MeasureProductPeak(Team& team, at::ScalarType type, at::Device device) {
  const at::NoGradGuard no_autograd;
  const auto options = at::TensorOptions().dtype(type).device(device);
  double best = 0;
  for (const auto& [rows, inner, outer] : kShapes) {
    std::vector<double> rates(team.size());
    team.Run([&](int worker) {
      const at::NoGradGuard guard;
      const at::Tensor x = at::ones({rows, inner}, options);
      const at::Tensor w = at::ones({outer, inner}, options);
      at::Tensor out = at::mm(x, w.t());  // warm
      const int64_t start = Clock::Real().NowUs();
      int64_t now = start;
      int64_t products = 0;
      while (now - start < kMicroseconds) {
        at::mm_out(out, x, w.t());
        if (!device.is_cpu()) out.narrow(0, 0, 1).sum().item<float>();
        ++products;
        now = Clock::Real().NowUs();
      }
      rates[worker] = 2e6 * static_cast<double>(rows * inner * outer) *
                      static_cast<double>(products) /
                      static_cast<double>(now - start);
    });
    double sum = 0;
    for (const double rate : rates) sum += rate;
    best = std::max(best, sum);
  }
  return best;
}

}  // namespace quaver
