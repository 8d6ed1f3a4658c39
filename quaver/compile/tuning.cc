// See tuning.h.
#include "quaver/compile/tuning.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include <fmt/format.h>

namespace quaver {
namespace {

// The same code under two names differs by up to 2 % on a machine that others
// share (40 shapes on Sapphire Rapids).
constexpr double kLeastGain = 0.03;

int RoundsOfLevel(int level) {
  if (level >= 5) return 9;
  return level >= 3 ? 3 : 1;
}

// Nanoseconds of each way, in TacticNames' order.
using Times = std::vector<int64_t>;

class Tuner {
 public:
  Tuner(const Kernels& kernels, const TuningOptions& options,
        TimingCache* cache)
      : kernels_(kernels), options_(options), cache_(*cache) {}

  absl::StatusOr<size_t> Fastest(const ProductShape& shape, size_t M) {
    const auto names = TacticNames(kernels_, shape.precision);
    if (names.size() == 1) return 0;
    ASSIGN_OR_RETURN(const Times times, TimesOf(shape, M, names));
    const auto least = std::min_element(times.begin(), times.end());
    const auto enough = (1 - kLeastGain) * static_cast<double>(times.front());
    return static_cast<double>(*least) < enough
               ? static_cast<size_t>(least - times.begin())
               : 0;
  }

 private:
  absl::StatusOr<Times> TimesOf(const ProductShape& shape, size_t M,
                                const std::vector<std::string>& names) {
    TimingKey key{ProcessorKey(),
                  std::string(Name(shape.precision)),
                  shape.N,
                  shape.K,
                  M,
                  ""};
    Times times;
    for (const std::string& name : names) {
      key.tactic = name;
      const auto known = cache_.Find(key);
      if (!known && !options_.measure) {
        return absl::FailedPreconditionError(
            fmt::format("the timing cache holds no time of {} on this "
                        "processor, \"{}\"",
                        ToText(key), key.processor));
      }
      if (!known) {
        Measure(shape, M, names, key);
        return TimesOf(shape, M, names);
      }
      times.push_back(*known);
    }
    return times;
  }

  void Measure(const ProductShape& shape, size_t M,
               const std::vector<std::string>& names, TimingKey key) {
    const auto found =
        options_.measurement(kernels_, {M, shape.N, shape.K, shape.precision},
                             RoundsOfLevel(options_.level));
    for (size_t i = 0; i < names.size(); ++i) {
      key.tactic = names[i];
      cache_.Add(key, std::max(std::llround(1e3 * found[i]), 1LL));
    }
  }

  const Kernels& kernels_;
  const TuningOptions& options_;
  TimingCache& cache_;
};

}  // namespace

std::vector<size_t> RowsOfLevel(int level) {
  if (level <= 0) return {};
  if (level == 1) return {1, 12, 64};
  if (level <= 3) return {1, 2, 4, 8, 12, 16, 32, 64, 128, 256};
  std::vector<size_t> rows;
  for (size_t bucket = 0; bucket < kRowBuckets; ++bucket) {
    rows.push_back(BucketRows(bucket));
  }
  return rows;
}

absl::StatusOr<TacticTable> Tune(const Kernels& kernels,
                                 const std::vector<Product>& products,
                                 const TuningOptions& options,
                                 TimingCache* cache) {
  std::set<ProductShape> shapes;
  for (const Product& product : products) {
    shapes.insert({product.precision, product.N, product.K});
  }
  const std::vector<size_t> rows = RowsOfLevel(options.level);
  const auto all = static_cast<int>(shapes.size() * rows.size());
  int done = 0;
  TacticTable table(ProcessorKey());
  Tuner tuner(kernels, options, cache);
  for (const ProductShape& shape : shapes) {
    RowTactics tactics;
    for (const size_t M : rows) {
      if (options.progress) options.progress(done, all);
      ASSIGN_OR_RETURN(const size_t fastest, tuner.Fastest(shape, M));
      tactics.of[RowBucket(M)] = static_cast<uint8_t>(fastest);
      ++done;
    }
    table.Set(shape, tactics);
  }
  if (options.progress && all > 0) options.progress(all, all);
  return table;
}

}  // namespace quaver
