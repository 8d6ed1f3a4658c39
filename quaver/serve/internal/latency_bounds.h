// How finely latencies are told.
#pragma once

#include <vector>

namespace quaver {

// Upper bounds in seconds of every latency's histogram: dense where a
// keystroke's budget is spent.
inline const std::vector<double> kLatencyBounds = {
    0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01,
    0.015,  0.025,   0.05,   0.1,   0.25,  0.5,   1,     2.5};

}  // namespace quaver
