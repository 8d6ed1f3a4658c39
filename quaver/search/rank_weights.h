// The ranking function's weights, in the order of Feature.
#pragma once

#include <array>

namespace quaver {

// Fitted on 3,500 simulated queries, the last two on judged collections.
inline constexpr std::array<float, 14> kRankWeights = {
    0.3585f,   // words
    0.2500f,   // whole
    0.0514f,   // whole_open
    0.0381f,   // title
    0.0313f,   // artist
    0.0458f,   // names
    0.0146f,   // exact
    0.0f,      // popularity
    0.1781f,   // popular_tail
    0.0079f,   // bm25
    0.0242f,   // meaning
    -0.1160f,  // broken
    0.3f,      // broad_bm25
    0.6f,      // broad_meaning
};

}  // namespace quaver
