// The ranking function's weights, in the order of Feature.
#pragma once

#include <array>

namespace quaver {

// The classical floor's until fitted.
inline constexpr std::array<float, 12> kRankWeights = {
    0.55f, 0.35f, 0, 0, 0, 0.1f, 0, 0.06f, 0, 0, 0, 0};

}  // namespace quaver
