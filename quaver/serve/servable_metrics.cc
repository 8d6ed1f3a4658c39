// See servable_metrics.h.
#include "quaver/serve/servable_metrics.h"

#include <string>

namespace quaver {
namespace {

const std::vector<double> kBatchSizes = {1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128};

Labels With(Labels labels, const std::string& name, const std::string& value) {
  labels.emplace_back(name, value);
  return labels;
}

Gauge Pending(Metrics& metrics, const Labels& labels) {
  return metrics.AddGauge("nv_inference_pending_request_count",
                          "Requests that wait for an instance.", labels);
}

Gauge Instances(Metrics& metrics, const Labels& labels) {
  return metrics.AddGauge("quaver_instances",
                          "Batches or calls that are computed at once.",
                          labels);
}

}  // namespace

void FollowingCounter::Follow(double count) {
  if (count <= counted_) return;
  counter_.Increment(count - counted_);
  counted_ = count;
}

class ServableMetrics::Batches {
 public:
  Batches(const Labels& labels, Metrics& metrics)
      : rows_(metrics.AddCounter("nv_inference_count",
                                 "Items of the batches that were inferred.",
                                 labels)),
        batches_(metrics.AddCounter("nv_inference_exec_count",
                                    "Executions of the model.", labels)),
        sizes_(metrics.AddHistogram("quaver_batch_size",
                                    "Rows of the batches that were computed.",
                                    kBatchSizes, labels)),
        instances_(Instances(metrics, labels)) {
    for (size_t i = 0; i < kNumCloseReasons; ++i) {
      closed_.emplace_back(metrics.AddCounter(
          "quaver_batch_close_total", "Batches by why they were closed.",
          With(labels, "reason",
               std::string(Name(static_cast<CloseReason>(i))))));
    }
  }

  void Update(const BatcherStatistics& counts) {
    double rows = 0;
    double batches = 0;
    for (const auto& [size, of_size] : counts.by_size) {
      rows += static_cast<double>(size) * static_cast<double>(of_size.count);
      batches += static_cast<double>(of_size.count);
      for (uint64_t& seen = seen_[size]; seen < of_size.count; ++seen) {
        sizes_.Observe(size);
      }
    }
    rows_.Follow(rows);
    batches_.Follow(batches);
    for (size_t i = 0; i < closed_.size(); ++i) {
      closed_[i].Follow(static_cast<double>(counts.by_close_reason[i]));
    }
    instances_.Set(counts.num_instances);
  }
  void End() const { instances_.Set(0); }

 private:
  FollowingCounter rows_, batches_;
  Histogram sizes_;
  std::map<int, uint64_t> seen_;  // batches in the histogram, by size
  std::vector<FollowingCounter> closed_;
  Gauge instances_;
};

class ServableMetrics::Steps {
 public:
  Steps(const Labels& labels, Metrics& metrics)
      : steps_(metrics.AddCounter(
            "quaver_decoder_passes_total",
            "Passes of the decoder, of all requests in them.", labels)),
        items_(metrics.AddCounter(
            "quaver_decoder_pass_requests_total",
            "Requests in the passes of the decoder, in sum.", labels)),
        instances_(Instances(metrics, labels)) {}

  void Update(const StepStatistics& counts) {
    double items = 0;
    double steps = 0;
    for (const auto& [size, of_size] : counts.by_size) {
      items += static_cast<double>(size) * static_cast<double>(of_size.count);
      steps += static_cast<double>(of_size.count);
    }
    steps_.Follow(steps);
    items_.Follow(items);
    instances_.Set(counts.num_instances);
  }
  void End() const { instances_.Set(0); }

 private:
  FollowingCounter steps_, items_;
  Gauge instances_;
};

class ServableMetrics::Cache {
 public:
  Cache(const Labels& labels, Metrics& metrics)
      : hits_(metrics.AddCounter("nv_cache_num_hits_per_model",
                                 "Answers that were in the cache.", labels)),
        misses_(metrics.AddCounter("nv_cache_num_misses_per_model",
                                   "Requests whose answers were not.", labels)),
        hit_us_(metrics.AddCounter("nv_cache_hit_duration_per_model",
                                   "Microseconds of the hits, in sum.",
                                   labels)),
        miss_us_(metrics.AddCounter(
            "nv_cache_miss_duration_per_model",
            "Microseconds to find nothing and to store the answers, in sum.",
            labels)),
        evictions_(metrics.AddCounter("quaver_cache_evictions_total",
                                      "Answers that made room for others.",
                                      labels)),
        entries_(metrics.AddGauge("quaver_cache_entries",
                                  "Answers in the cache.", labels)),
        bytes_(metrics.AddGauge("quaver_cache_bytes",
                                "Bytes of requests and answers in the cache.",
                                labels)) {}

  void Update(const CacheStatistics& counts) {
    hits_.Follow(static_cast<double>(counts.num_hits));
    misses_.Follow(static_cast<double>(counts.num_misses));
    hit_us_.Follow(static_cast<double>(counts.hit_us));
    miss_us_.Follow(static_cast<double>(counts.miss_us));
    evictions_.Follow(static_cast<double>(counts.num_evictions));
    entries_.Set(static_cast<double>(counts.num_entries));
    bytes_.Set(static_cast<double>(counts.num_bytes));
  }
  void End() const {
    entries_.Set(0);
    bytes_.Set(0);
  }

 private:
  FollowingCounter hits_, misses_, hit_us_, miss_us_, evictions_;
  Gauge entries_, bytes_;
};

struct ServableMetrics::EnsembleStep {
  FollowingCounter calls;
  FollowingCounter total_us;
};

ServableMetrics::ServableMetrics(const Servable& servable, const Labels& labels,
                                 Metrics& metrics)
    : servable_(servable), pending_(Pending(metrics, labels)) {
  const ServableCounts counts = servable.counts();
  if (counts.batcher) batches_ = std::make_unique<Batches>(labels, metrics);
  if (counts.steps) steps_ = std::make_unique<Steps>(labels, metrics);
  if (counts.cache) cache_ = std::make_unique<Cache>(labels, metrics);
  if (counts.flights) {
    shared_.emplace(metrics.AddCounter(
        "quaver_shared_inference_total",
        "Answers that had been computed for an identical request.", labels));
  }
  for (size_t i = 0; i < counts.ensemble.size(); ++i) {
    const Labels step = With(With(labels, "step", std::to_string(i + 1)),
                             "member", counts.ensemble[i].model);
    ensemble_.push_back(
        {FollowingCounter(metrics.AddCounter("quaver_ensemble_step_total",
                                             "Calls of an ensemble's step.",
                                             step)),
         FollowingCounter(metrics.AddCounter(
             "quaver_ensemble_step_duration_us",
             "Microseconds of an ensemble's step, in sum.", step))});
  }
  on_expose_ = metrics.OnExpose([this] { Update(); });
}

ServableMetrics::~ServableMetrics() {
  on_expose_.reset();
  Update();
  // What is gone waits for nothing. A newer load of the same labels sets its
  // own before anybody sees these.
  pending_.Set(0);
  if (batches_ != nullptr) batches_->End();
  if (steps_ != nullptr) steps_->End();
  if (cache_ != nullptr) cache_->End();
}

void ServableMetrics::UpdatePending(const ServableCounts& counts) const {
  int num_waiting = counts.num_waiting;
  if (counts.batcher) num_waiting += counts.batcher->num_queued;
  if (counts.steps) num_waiting += counts.steps->num_waiting;
  pending_.Set(num_waiting);
}

void ServableMetrics::Update() {
  const ServableCounts counts = servable_.counts();
  UpdatePending(counts);
  if (batches_ != nullptr && counts.batcher) batches_->Update(*counts.batcher);
  if (steps_ != nullptr && counts.steps) steps_->Update(*counts.steps);
  if (cache_ != nullptr && counts.cache) cache_->Update(*counts.cache);
  if (shared_ && counts.flights) {
    shared_->Follow(static_cast<double>(counts.flights->num_shared));
  }
  for (size_t i = 0; i < ensemble_.size(); ++i) {
    const EnsembleStepStatistics& step = counts.ensemble[i];
    ensemble_[i].calls.Follow(
        static_cast<double>(step.num_succeeded + step.num_failed));
    ensemble_[i].total_us.Follow(static_cast<double>(step.total_us));
  }
}

}  // namespace quaver
