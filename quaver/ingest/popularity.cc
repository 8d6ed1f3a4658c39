// See popularity.h.
#include "quaver/ingest/popularity.h"

#include <algorithm>
#include <cmath>

namespace quaver {
namespace {

constexpr double kPerDecade = 50;

double Share(double quantile) {
  return 1 - std::pow(10, -quantile / kPerDecade);
}

}  // namespace

Quantiles MakeQuantiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  if (values.empty() || values.front() == values.back()) return {};
  Quantiles quantiles(kNumQuantiles);
  // The most popular of N has the share 1 - 1/N, not more: in a catalogue of
  // ten its popularity must not outweigh the words of a query.
  const auto count = static_cast<double>(values.size());
  for (size_t i = 0; i < kNumQuantiles; ++i) {
    const double place = Share(static_cast<double>(i)) * count;
    const auto below = static_cast<size_t>(place);
    const size_t above = std::min(below + 1, values.size() - 1);
    quantiles[i] = std::lerp(values[below], values[above],
                             place - static_cast<double>(below));
  }
  return quantiles;
}

float PopularityShare(const Quantiles& quantiles, double value) {
  if (quantiles.empty()) return 0.5f;
  // The first that is not less: equal values share the least of their places.
  const auto above =
      std::lower_bound(quantiles.begin(), quantiles.end(), value);
  if (above == quantiles.begin()) return 0;
  const auto i = static_cast<double>(above - quantiles.begin() - 1);
  if (above == quantiles.end()) return static_cast<float>(Share(i));
  const double low = *(above - 1);
  // Halves, as the difference of two doubles may be no double.
  const double part = (value / 2 - low / 2) / (*above / 2 - low / 2);
  return static_cast<float>(Share(i + part));
}

}  // namespace quaver
