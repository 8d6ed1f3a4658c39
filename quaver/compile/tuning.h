// Which way a processor computes each product fastest.
//
//   TimingCache cache;
//   ASSIGN_OR_RETURN(TacticTable table,
//                    Tune(BestKernels(), Products(*model), {}, &cache));
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/compile/timing_cache.h"
#include "quaver/engine/bench.h"
#include "quaver/engine/plan.h"
#include "quaver/engine/tactics.h"

namespace quaver {

struct TuningOptions {
  // 0: no tuning. 1: products of 1, 12 and 64 rows, measured once. 2: of powers
  // of two up to 256, and of 12. 3: those, thrice. 4: every bucket of rows,
  // thrice. 5: nine times.
  int level = 3;
  // Whether what the cache lacks is measured; else it is an error.
  bool measure = true;
  // Microseconds of a call in each way, in TacticNames' order.
  std::function<std::vector<double>(const Kernels& kernels,
                                    const GemmShape& shape, int num_rounds)>
      measurement = MeasureTactics;
  // Told how many shapes and rows are done, of how many.
  std::function<void(int done, int all)> progress;
};

// The rows that a level measures; each is a bucket's most.
std::vector<size_t> RowsOfLevel(int level);

// For each shape among the products and each of the level's rows the fastest
// way, where it is more than 3 % faster than the standard one; else, and for
// all other rows, that. What the cache holds is not measured again; what is
// measured is added to it: the same cache, when it holds all, gives the same
// table. FailedPrecondition, naming the first product that the cache lacks,
// when nothing may be measured.
absl::StatusOr<TacticTable> Tune(const Kernels& kernels,
                                 const std::vector<Product>& products,
                                 const TuningOptions& options,
                                 TimingCache* cache);

}  // namespace quaver
