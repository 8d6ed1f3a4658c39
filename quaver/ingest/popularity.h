// Popularity on any scale, made a share: how much of its type is less popular.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "quaver/catalogue/entity.h"

namespace quaver {

// Quantiles of one type's popularity, least first. Their spacing is
// logarithmic towards the top, where differences count: quantile i stands for
// the share 1 - 10^(-i / 50).
inline constexpr size_t kNumQuantiles = 301;
using Quantiles = std::vector<double>;  // [kNumQuantiles], or empty

// Sorts. Empty for no values, or for values that are all the same.
Quantiles MakeQuantiles(std::vector<double> values);

// In [0, 1), by linear interpolation; 0.5 where nothing is known (no
// quantiles). Monotonic in `value`.
float PopularityShare(const Quantiles& quantiles, double value);

// By type.
using PopularityScale = std::array<Quantiles, kNumEntityTypes>;

}  // namespace quaver
