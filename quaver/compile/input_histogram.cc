// See input_histogram.h.
#include "quaver/compile/input_histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace quaver {
namespace {

constexpr size_t kCodes = 256;

using Counts = std::span<const uint64_t>;

double Sum(Counts counts) {
  return static_cast<double>(
      std::accumulate(counts.begin(), counts.end(), uint64_t{0}));
}

size_t CountFilled(Counts counts) {
  return counts.size() - static_cast<size_t>(std::count(
                             counts.begin(), counts.end(), uint64_t{0}));
}

// The divergence of the bins [begin, end), with all others added to the first
// and the last of them that have any, from what kCodes groups of them tell.
// Infinite where they are all empty.
double Divergence(Counts all, size_t begin, size_t end) {
  const Counts counts = all.subspan(begin, end - begin);
  size_t first = 0, last = counts.size();
  while (first < last && counts[first] == 0) ++first;
  while (last > first && counts[last - 1] == 0) --last;
  if (first == last) return std::numeric_limits<double>::infinity();
  const double below = Sum(all.first(begin)), within = Sum(counts);
  const double above = Sum(all.subspan(end));
  const double total = below + within + above;
  double divergence = 0;
  for (size_t code = 0; code < kCodes; ++code) {
    const size_t from = counts.size() * code / kCodes;
    const size_t to = counts.size() * (code + 1) / kCodes;
    const Counts group = counts.subspan(from, to - from);
    const size_t filled = CountFilled(group);
    if (filled == 0) continue;
    // A code's share is spread over its bins that have any.
    const double told = Sum(group) / static_cast<double>(filled) / within;
    for (size_t i = from; i < to; ++i) {
      if (counts[i] == 0) continue;
      const double share =
          (static_cast<double>(counts[i]) + (i == first ? below : 0) +
           (i + 1 == last ? above : 0)) /
          total;
      divergence += share * std::log(share / told);
    }
  }
  return divergence;
}

}  // namespace

InputHistogram::InputHistogram(float low, float high)
    : low_(std::min(low, 0.0f)), high_(std::max(high, 0.0f)), counts_(kBins) {
  const double range = double{high_} - low_;
  bins_per_unit_ = range > 0 ? static_cast<double>(kBins) / range : 0;
}

void InputHistogram::Add(std::span<const float> values) {
  for (const float value : values) {
    if (std::isnan(value)) continue;
    const double held = std::clamp(value, low_, high_);
    const auto bin = static_cast<size_t>((held - low_) * bins_per_unit_);
    ++counts_[std::min(bin, kBins - 1)];
    ++total_;
  }
}

float InputHistogram::Edge(size_t i) const {
  if (i == kBins) return high_;
  const double share = static_cast<double>(i) / static_cast<double>(kBins);
  return static_cast<float>(low_ + share * (double{high_} - low_));
}

InputRange MinMaxRange(const InputHistogram& histogram) {
  return {histogram.low(), histogram.high()};
}

InputRange PercentileRange(const InputHistogram& histogram, double percentile) {
  const double most =
      (1 - percentile / 100) * static_cast<double>(histogram.total());
  const auto counts = histogram.counts();
  size_t begin = 0, end = counts.size();
  double below = 0, above = 0;
  while (begin < counts.size() &&
         below + static_cast<double>(counts[begin]) <= most) {
    below += static_cast<double>(counts[begin++]);
  }
  while (end > 0 && above + static_cast<double>(counts[end - 1]) <= most) {
    above += static_cast<double>(counts[--end]);
  }
  return {std::min(histogram.Edge(begin), 0.0f),
          std::max(histogram.Edge(end), 0.0f)};
}

InputRange EntropyRange(const InputHistogram& histogram) {
  const auto counts = histogram.counts();
  InputRange best = MinMaxRange(histogram);
  if (best.dynamic() || histogram.total() == 0) return best;
  // The bin that 0 lies in, or begins at the end of.
  const double width =
      (double{best.high} - best.low) / static_cast<double>(counts.size());
  const auto zero = static_cast<size_t>(std::llround(-best.low / width));
  const size_t farthest = std::max(zero, counts.size() - zero);
  double least = std::numeric_limits<double>::infinity();
  for (size_t distance = farthest; distance > 0; --distance) {
    const size_t begin = zero - std::min(zero, distance);
    const size_t end = std::min(counts.size(), zero + distance);
    if (end - begin < kCodes) break;
    const double divergence = Divergence(counts, begin, end);
    if (divergence >= least) continue;
    least = divergence;
    best = {std::min(histogram.Edge(begin), 0.0f),
            std::max(histogram.Edge(end), 0.0f)};
  }
  return best;
}

}  // namespace quaver
