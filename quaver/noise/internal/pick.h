// Choosing one of several by weight.
#pragma once

#include <cstddef>
#include <iterator>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "quaver/base/hash.h"

namespace quaver {

// An index drawn in proportion to its weight; nothing when no weight is
// positive. Draws one number.
inline std::optional<size_t> PickByWeight(std::span<const double> weights,
                                          Random& random) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double left = random.Uniform() * total;
  std::optional<size_t> last;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    last = i;
    left -= weights[i];
    if (left < 0) return i;
  }
  return last;
}

// REQUIRES: choices is not empty.
template <typename Choices>
const auto& PickOne(const Choices& choices, Random& random) {
  return choices[random.Below(std::size(choices))];
}

}  // namespace quaver
