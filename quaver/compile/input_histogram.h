// What values a product reads, and between which of them to quantise.
//
//   InputHistogram histogram(low, high);
//   histogram.Add(values);
//   InputRange range = EntropyRange(histogram);
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quaver/engine/precision.h"

namespace quaver {

// Counts in bins of equal width.
class InputHistogram {
 public:
  static constexpr size_t kBins = 2048;

  // Of values from `low` to `high`, and 0. REQUIRES: finite.
  InputHistogram(float low, float high);

  // Values beyond count in the bin of the nearest end, NaN not at all.
  void Add(std::span<const float> values);

  float low() const { return low_; }    // at most 0
  float high() const { return high_; }  // at least 0
  uint64_t total() const { return total_; }
  std::span<const uint64_t> counts() const { return counts_; }  // [kBins]
  // Where bin i begins; that of kBins is high().
  float Edge(size_t i) const;

 private:
  float low_, high_;
  double bins_per_unit_;  // 0 where all values are 0
  uint64_t total_ = 0;
  std::vector<uint64_t> counts_;
};

// All that was seen.
InputRange MinMaxRange(const InputHistogram& histogram);

// The least range, to a bin, that at most 100 - percentile hundredths of the
// values lie below and as many above; always with 0. REQUIRES: 50 to 100.
InputRange PercentileRange(const InputHistogram& histogram, double percentile);

// The range that loses least information, as TensorRT's entropy calibrator
// measures it (S. Migacz, "8-bit inference with TensorRT", GTC 2017): the
// Kullback-Leibler divergence of the counts, those beyond the range added to
// its outermost bins that have any, from what the 256 codes can tell of the
// counts within it. Candidates are the ranges from max(low, -t) to min(high,
// t), for every t that is a bin's edge and leaves at least a bin a code; of
// equal ones the widest. TensorRT's codes are symmetric, 128 for magnitudes;
// ours lie between the two ends.
InputRange EntropyRange(const InputHistogram& histogram);

}  // namespace quaver
