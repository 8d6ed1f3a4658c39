// What a machine's limits allow a product: the least time it can take.
#pragma once

#include <cstddef>
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

// Of M rows: the longer of 2 M N K operations and reading the product's bytes.
double PredictedUs(const Product& product, size_t M, const GemmLimits& limits);

// The same of any step of a call; absent where it has neither operations, whose
// limit is known, nor bytes to read.
std::optional<double> PredictedUs(const CallStep& step,
                                  const GemmLimits& limits);

}  // namespace quaver
