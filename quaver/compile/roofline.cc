// See roofline.h.
#include "quaver/compile/roofline.h"

#include <algorithm>
#include <set>

namespace quaver {
namespace {

std::set<Precision> PrecisionsOf(const std::vector<Product>& products) {
  std::set<Precision> precisions;
  for (const Product& product : products) precisions.insert(product.precision);
  return precisions;
}

double BytesOfWeight(std::string_view precision) {
  if (precision == Name(Precision::kInt8)) return 1;
  return precision == Name(Precision::kBf16) ? 2 : sizeof(float);
}

double Operations(size_t M, size_t N, size_t K) {
  return 2 * static_cast<double>(M) * static_cast<double>(N) *
         static_cast<double>(K);
}

}  // namespace

std::optional<GemmLimits> LimitsOf(const TimingCache& cache,
                                   const std::string& processor,
                                   const std::vector<Product>& products) {
  GemmLimits limits;
  for (const auto& [key, ns] : cache.times()) {
    if (key.processor != processor) continue;
    const double weights =
        static_cast<double>(key.N) * static_cast<double>(key.K);
    limits.gbytes =
        std::max(limits.gbytes, weights * BytesOfWeight(key.precision) /
                                    static_cast<double>(ns));
    for (const Precision precision : kPrecisions) {
      if (key.precision != Name(precision)) continue;
      double& gops = limits.gops[static_cast<size_t>(precision)];
      gops = std::max(
          gops, Operations(key.M, key.N, key.K) / static_cast<double>(ns));
    }
  }
  for (const Precision precision : PrecisionsOf(products)) {
    if (limits.gops[static_cast<size_t>(precision)] == 0) return std::nullopt;
  }
  return limits;
}

GemmLimits MeasureLimits(const Kernels& kernels,
                         const std::vector<Product>& products) {
  // Few enough bytes for the second-level cache, rows enough to reach the peak.
  constexpr size_t kRows = 256, kSize = 512;
  std::vector<GemmShape> shapes;
  for (const Precision precision : PrecisionsOf(products)) {
    shapes.push_back({kRows, kSize, kSize, precision});
  }
  GemmLimits limits;
  BenchGemm(kernels, shapes, &limits);
  return limits;
}

std::optional<double> PredictedUs(const CallStep& step,
                                  const GemmLimits& limits) {
  // Rounding's precision is that of its result; it has no operations.
  const double gops = limits.gops[static_cast<size_t>(step.precision)];
  double ns = static_cast<double>(step.bytes) / limits.gbytes;
  if (gops > 0) ns = std::max(ns, step.operations / gops);
  return ns > 0 ? std::optional(1e-3 * ns) : std::nullopt;
}

}  // namespace quaver
