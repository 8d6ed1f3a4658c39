// What a model has been asked and how long it took: Triton's statistics and
// metrics.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include <nlohmann/json_fwd.hpp>

#include "quaver/base/metrics.h"
#include "quaver/base/mutex.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/servable_metrics.h"

namespace quaver {

// Where a request's time went, in microseconds.
struct InferTimes {
  int64_t total_us = 0;     // from the last byte read to the answer
  int64_t queue_us = 0;     // until a thread took it, and in the model's queue
  int64_t input_us = 0;     // bytes to tensors
  int64_t infer_us = 0;     // the servable, without its queue
  int64_t output_us = 0;    // tensors to bytes
  bool from_cache = false;  // nothing was computed
};

// Triton's label "reason" of failures, in this order.
enum class FailureReason { kRejected, kCanceled, kBackend, kOther };

// Thread-safe.
class ModelStatistics {
 public:
  // Adds the series nv_inference_* of the model, which go on counting where an
  // earlier load of the version left them, with a label "_<key>" for each tag;
  // quaver_inference_{request,queue,compute}_seconds, histograms of the
  // requests that succeeded (compute: those of which something was computed);
  // and those of servable_metrics.h, where `servable` is not null. `metrics`
  // and `servable` outlive this. REQUIRES: tags are letters, digits and '_'.
  ModelStatistics(const std::string& model, const std::string& version,
                  Metrics& metrics,
                  const std::map<std::string, std::string>& tags = {},
                  const Servable* servable = nullptr);

  // `now_ms`: since 1970.
  void RecordSuccess(int64_t batch_size, const InferTimes& times,
                     int64_t now_ms) ABSL_LOCKS_EXCLUDED(mutex_);
  void RecordFailure(FailureReason reason, int64_t total_us)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // An element of "model_stats". Executions, their rows and batch_stats are the
  // batches that the servable computed, whoever asked for them; of one that
  // forms none, each request of which something was computed. batch_stats of
  // batches have no times of inputs and outputs: those belong to requests.
  nlohmann::ordered_json ToJson() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Sum {
    uint64_t count = 0;
    int64_t us = 0;
    void Add(int64_t duration_us);
    void Add(const Sum& other) {
      count += other.count;
      us += other.us;
    }
  };
  struct BatchSums {
    Sum input, infer, output;
  };
  static nlohmann::ordered_json SumJson(const Sum& sum);
  static nlohmann::ordered_json BatchJson(int64_t batch_size,
                                          const BatchSums& sums);

  const std::string model_;
  const std::string version_;
  Counter requests_, inferences_, executions_, request_us_, queue_us_,
      input_us_, infer_us_, output_us_;
  std::array<Counter, 4> failures_;  // by FailureReason
  Histogram request_seconds_, queue_seconds_, compute_seconds_;
  const Servable* const servable_;
  const bool forms_batches_;
  std::optional<ServableMetrics> servable_metrics_;

  mutable Mutex mutex_;
  int64_t last_inference_ms_ ABSL_GUARDED_BY(mutex_) = 0;
  Sum success_ ABSL_GUARDED_BY(mutex_);
  Sum fail_ ABSL_GUARDED_BY(mutex_);
  Sum queue_ ABSL_GUARDED_BY(mutex_);
  // Bounded, as the batches that a request may hold are.
  std::map<int64_t, BatchSums> by_batch_size_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quaver
