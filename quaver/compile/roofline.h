// What a machine's limits allow a step of a call: the least time it can take.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "quaver/compile/timing_cache.h"
#include "quaver/engine/bench.h"
#include "quaver/engine/call_steps.h"
#include "quaver/engine/plan.h"

namespace quaver {

// Of the precisions among the products, those of one core: the best of what
// the cache holds of this processor; absent when it holds nothing of one of
// them.
std::optional<GemmLimits> LimitsOf(const TimingCache& cache,
                                   const std::string& processor,
                                   const std::vector<Product>& products);

// The same, measured: about half a second.
GemmLimits MeasureLimits(const Kernels& kernels,
                         const std::vector<Product>& products);

// The longer of a step's operations and of reading its bytes; absent where it
// has neither operations, whose limit is known, nor bytes.
std::optional<double> PredictedUs(const CallStep& step,
                                  const GemmLimits& limits);

}  // namespace quaver
