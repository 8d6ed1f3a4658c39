// What servables count of themselves, for those who watch them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "quaver/sched/batching.h"

namespace quaver {

// Of a continuous batcher, since the start. Of every item that Run was given
// exactly one of num_succeeded to num_cancelled counts.
struct StepStatistics {
  uint64_t num_succeeded = 0;
  uint64_t num_failed = 0;
  uint64_t num_rejected = 0;  // the queue was full
  uint64_t num_expired = 0;   // the deadline passed
  uint64_t num_cancelled = 0;
  CallTimes times;  // sums over items that succeeded
  // Steps by the number of items that took them together.
  std::map<int, BatcherStatistics::Batches> by_size;
  int num_waiting = 0;    // now
  int num_active = 0;     // now
  int num_instances = 0;  // now
};

// Of one model in a response cache, since the start.
struct CacheStatistics {
  uint64_t num_hits = 0;
  uint64_t num_misses = 0;
  int64_t hit_us = 0;   // sum: to find the answer
  int64_t miss_us = 0;  // sum: to find none, and to store the answer
  uint64_t num_evictions = 0;
  uint64_t num_entries = 0;  // now
  uint64_t num_bytes = 0;    // now
};

// Of calls that were computed once for several callers, since the start.
struct FlightStatistics {
  uint64_t num_computed = 0;   // calls of the servable behind it
  uint64_t num_shared = 0;     // answers that others had computed
  uint64_t num_takeovers = 0;  // another caller led when the first one left
};

// Of one step of an ensemble, since the start.
struct EnsembleStepStatistics {
  std::string model;
  uint64_t num_succeeded = 0;
  uint64_t num_failed = 0;
  CallTimes times;       // sums, as the member says
  int64_t total_us = 0;  // sum: the member's call, its place's wait included
};

// As far as a servable does such things; who wraps another one adds its own
// counts to those of what it wraps.
struct ServableCounts {
  std::optional<BatcherStatistics> batcher;
  std::optional<StepStatistics> steps;
  std::optional<CacheStatistics> cache;
  std::optional<FlightStatistics> flights;
  std::vector<EnsembleStepStatistics> ensemble;
  // Calls in line now, besides those that the first two count.
  int num_waiting = 0;
};

}  // namespace quaver
