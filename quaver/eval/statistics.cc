// Intervals, percentiles, correlation, nDCG: plain loops.
#include "quaver/eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "quaver/base/check.h"
#include "quaver/base/hash.h"

namespace quaver {
namespace {

double DiscountedGain(size_t k, std::span<const double> gains) {
  double sum = 0;
  for (size_t i = 0; i < std::min(k, gains.size()); ++i) {
    sum += gains[i] / std::log2(static_cast<double>(i + 2));
  }
  return sum;
}

}  // namespace

double Mean(std::span<const double> values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

double Cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

double Percentile(std::vector<double> values, double share) {
  QUAVER_CHECK(share >= 0 && share <= 1);
  if (values.empty()) return 0;
  const double rank = std::ceil(share * static_cast<double>(values.size()));
  const size_t index = rank < 1 ? 0 : static_cast<size_t>(rank) - 1;
  const auto at = values.begin() + static_cast<ptrdiff_t>(index);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

Interval Bootstrap(
    size_t count,
    const std::function<double(std::span<const size_t> rows)>& statistic,
    uint64_t seed, int resamples) {
  if (count == 0) return {};
  std::vector<size_t> rows(count);
  std::iota(rows.begin(), rows.end(), size_t{0});
  Interval interval;
  interval.value = statistic(rows);
  std::vector<double> draws;
  for (int i = 0; i < resamples; ++i) {
    Random random(seed, static_cast<uint64_t>(i));
    for (size_t& row : rows) row = random.Below(count);
    draws.push_back(statistic(rows));
  }
  interval.low = Percentile(draws, 0.025);
  interval.high = Percentile(draws, 0.975);
  return interval;
}

Interval BootstrapMean(std::span<const double> values, uint64_t seed,
                       int resamples) {
  const auto mean = [&](std::span<const size_t> rows) {
    double sum = 0;
    for (const size_t row : rows) sum += values[row];
    return sum / static_cast<double>(rows.size());
  };
  return Bootstrap(values.size(), mean, seed, resamples);
}

Interval BootstrapDifference(std::span<const double> values,
                             std::span<const double> baseline, uint64_t seed,
                             int resamples) {
  QUAVER_CHECK(values.size() == baseline.size());
  std::vector<double> differences(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    differences[i] = values[i] - baseline[i];
  }
  return BootstrapMean(differences, seed, resamples);
}

std::vector<double> MeanRanks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) {
      ++end;
    }
    const double rank = 0.5 * static_cast<double>(begin + 1 + end);
    for (; begin < end; ++begin) ranks[order[begin]] = rank;
  }
  return ranks;
}

double Spearman(std::span<const double> x, std::span<const double> y) {
  QUAVER_CHECK(x.size() == y.size());
  const std::vector<double> a = MeanRanks(x);
  const std::vector<double> b = MeanRanks(y);
  const double center = 0.5 * static_cast<double>(x.size() + 1);
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - center) * (b[i] - center);
    aa += (a[i] - center) * (a[i] - center);
    bb += (b[i] - center) * (b[i] - center);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

double NdcgAt(size_t k, std::span<const double> gains,
              std::vector<double> ideal) {
  std::sort(ideal.begin(), ideal.end(), std::greater<>());
  const double best = DiscountedGain(k, ideal);
  return best > 0 ? DiscountedGain(k, gains) / best : 0;
}

}  // namespace quaver
