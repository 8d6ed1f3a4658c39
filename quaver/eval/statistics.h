// The statistics of evaluation: intervals, percentiles, correlation, nDCG.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace quaver {

// A figure with its 95 % bootstrap interval.
struct Interval {
  double value = 0;
  double low = 0;
  double high = 0;
};

inline constexpr int kResamples = 1'000;

// 0 for none.
double Mean(std::span<const double> values);

// Of two vectors of one length; 0 where one is zero.
double Cosine(std::span<const float> a, std::span<const float> b);

// The value of rank ceil(share * count), the nearest-rank percentile; 0 for no
// values. REQUIRES: share in [0, 1].
double Percentile(std::vector<double> values, double share);

// `statistic` of all rows [0, count), and the 2.5th and 97.5th percentile of
// it over `resamples` draws of `count` rows with replacement. Deterministic
// for a seed.
Interval Bootstrap(
    size_t count,
    const std::function<double(std::span<const size_t> rows)>& statistic,
    uint64_t seed, int resamples = kResamples);
Interval BootstrapMean(std::span<const double> values, uint64_t seed,
                       int resamples = kResamples);
// The mean of `values` less that of `baseline`, which are of the same rows:
// they are drawn in pairs. REQUIRES: equal sizes.
Interval BootstrapDifference(std::span<const double> values,
                             std::span<const double> baseline, uint64_t seed,
                             int resamples = kResamples);

// Ranks from 1; equal values share the mean of theirs.
std::vector<double> MeanRanks(std::span<const double> values);

// Pearson's correlation of the ranks; 0 when one side is constant.
// REQUIRES: equal sizes.
double Spearman(std::span<const double> x, std::span<const double> y);

// Normalised discounted cumulative gain of the first k results: linear gain,
// discount log2(1 + rank), over the best order of `ideal`, the gains of all
// relevant documents. 0 when nothing is relevant.
double NdcgAt(size_t k, std::span<const double> gains,
              std::vector<double> ideal);

}  // namespace quaver
