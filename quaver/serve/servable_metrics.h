// What a servable counts of itself, as metrics.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "quaver/base/metrics.h"
#include "quaver/sched/servable.h"

namespace quaver {

// A counter that follows another one, which began at 0 with this.
class FollowingCounter {
 public:
  explicit FollowingCounter(Counter counter) : counter_(counter) {}
  void Follow(double count);

 private:
  Counter counter_;
  double counted_ = 0;
};

// As far as the servable counts such things, with the labels given:
//   nv_inference_count, nv_inference_exec_count   rows and batches computed
//   nv_inference_pending_request_count            calls in the queue; of every
//                                                 servable
//   quaver_instances
//   quaver_batch_size                             histogram of rows
//   quaver_batch_close_total{reason}              batches
//   quaver_decoder_passes_total                   steps, of all calls in them
//   quaver_decoder_pass_requests_total            sum over steps of the calls
//   nv_cache_num_hits_per_model, nv_cache_num_misses_per_model,
//   nv_cache_hit_duration_per_model, nv_cache_miss_duration_per_model in us
//   quaver_cache_evictions_total, quaver_cache_entries, quaver_cache_bytes
//   quaver_shared_inference_total                 answers computed for others
//   quaver_ensemble_step_total, quaver_ensemble_step_duration_us{step, member}
// They are brought up to date by Metrics::Expose and at the end.
class ServableMetrics {
 public:
  // `servable` and `metrics` outlive it.
  ServableMetrics(const Servable& servable, const Labels& labels,
                  Metrics& metrics);
  ~ServableMetrics();
  ServableMetrics(const ServableMetrics&) = delete;
  ServableMetrics& operator=(const ServableMetrics&) = delete;

 private:
  class Batches;
  class Steps;
  class Cache;
  struct EnsembleStep;
  void Update();
  void UpdatePending(const ServableCounts& counts) const;

  const Servable& servable_;
  const Gauge pending_;
  std::unique_ptr<Batches> batches_;
  std::unique_ptr<Steps> steps_;
  std::unique_ptr<Cache> cache_;
  std::optional<FollowingCounter> shared_;
  std::vector<EnsembleStep> ensemble_;
  std::shared_ptr<void> on_expose_;
};

}  // namespace quaver
