// What a model has been asked and how long it took: Triton's statistics and
// metrics.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include <nlohmann/json_fwd.hpp>

#include "quaver/base/metrics.h"
#include "quaver/base/mutex.h"

namespace quaver {

// Where a request's time went, in microseconds.
struct InferTimes {
  int64_t total_us = 0;   // from the last byte read to the answer
  int64_t queue_us = 0;   // until a thread took it; waits inside of a model
                          // belong to infer
  int64_t input_us = 0;   // bytes to tensors
  int64_t infer_us = 0;   // the servable
  int64_t output_us = 0;  // tensors to bytes
};

// Triton's label "reason" of failures, in this order.
enum class FailureReason { kRejected, kCanceled, kBackend, kOther };

// Thread-safe.
class ModelStatistics {
 public:
  // Adds the series nv_inference_* of the model, from zero. `metrics` outlives
  // this.
  ModelStatistics(const std::string& model, const std::string& version,
                  Metrics& metrics);

  // `now_ms`: since 1970.
  void RecordSuccess(int64_t batch_size, const InferTimes& times,
                     int64_t now_ms) ABSL_LOCKS_EXCLUDED(mutex_);
  void RecordFailure(FailureReason reason, int64_t total_us)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // An element of "model_stats". Each call of the servable counts as an
  // execution.
  nlohmann::ordered_json ToJson() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Sum {
    uint64_t count = 0;
    int64_t us = 0;
    void Add(int64_t duration_us);
  };
  struct BatchSums {
    Sum input, infer, output;
  };
  static nlohmann::ordered_json SumJson(const Sum& sum);

  const std::string model_;
  const std::string version_;
  Counter requests_, inferences_, executions_, request_us_, queue_us_,
      input_us_, infer_us_, output_us_;
  std::array<Counter, 4> failures_;  // by FailureReason

  mutable Mutex mutex_;
  int64_t last_inference_ms_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t num_inferences_ ABSL_GUARDED_BY(mutex_) = 0;
  Sum success_ ABSL_GUARDED_BY(mutex_);
  Sum fail_ ABSL_GUARDED_BY(mutex_);
  Sum queue_ ABSL_GUARDED_BY(mutex_);
  BatchSums all_ ABSL_GUARDED_BY(mutex_);
  // Bounded, as the batches that a request may hold are.
  std::map<int64_t, BatchSums> by_batch_size_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quaver
