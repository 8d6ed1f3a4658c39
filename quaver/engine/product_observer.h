// Whoever wants to see what a model's products read: calibration, verification.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace quaver {

// Told a product's name, as Products of plan.h lists it, and its input,
// [M, K], before it is computed, in the calling thread.
using ProductObserver =
    std::function<void(const std::string& product, const float* x, size_t M)>;

}  // namespace quaver
