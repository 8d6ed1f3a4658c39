// See kserve_statistics.h.
#include "quaver/serve/kserve_statistics.h"

#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "quaver/serve/internal/latency_bounds.h"

namespace quaver {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, 4> kReasons = {"REJECTED", "CANCELED",
                                                 "BACKEND", "OTHER"};

double Seconds(int64_t us) { return static_cast<double>(us) * 1e-6; }

}  // namespace

void ModelStatistics::Sum::Add(int64_t duration_us) {
  ++count;
  us += duration_us;
}

Json ModelStatistics::SumJson(const Sum& sum) {
  return {{"count", sum.count}, {"ns", sum.us * 1'000}};
}

ModelStatistics::ModelStatistics(const std::string& model,
                                 const std::string& version, Metrics& metrics,
                                 const std::map<std::string, std::string>& tags,
                                 const Servable* servable)
    : model_(model),
      version_(version),
      servable_(servable),
      forms_batches_(servable != nullptr &&
                     servable->counts().batcher.has_value()) {
  Labels labels = {{"model", model}, {"version", version}};
  for (const auto& [key, value] : tags) labels.emplace_back("_" + key, value);
  const auto add = [&](const char* name, const char* help) {
    return metrics.AddCounter(std::string("nv_inference_") + name, help,
                              labels);
  };
  requests_ = add("request_success", "Inference requests that succeeded.");
  inferences_ = add("count", "Items of the batches that were inferred.");
  executions_ = add("exec_count", "Executions of the model.");
  request_us_ = add("request_duration_us",
                    "Microseconds from a request to its answer, in sum.");
  queue_us_ = add("queue_duration_us",
                  "Microseconds that requests waited for a thread, in sum.");
  input_us_ = add("compute_input_duration_us",
                  "Microseconds spent on reading inputs, in sum.");
  infer_us_ = add("compute_infer_duration_us",
                  "Microseconds spent in the model, in sum.");
  output_us_ = add("compute_output_duration_us",
                   "Microseconds spent on writing outputs, in sum.");
  for (size_t i = 0; i < kReasons.size(); ++i) {
    Labels with_reason = labels;
    with_reason.emplace_back("reason", kReasons[i]);
    failures_[i] =
        metrics.AddCounter("nv_inference_request_failure",
                           "Inference requests that failed.", with_reason);
  }
  const auto add_histogram = [&](const char* name, const char* help) {
    return metrics.AddHistogram(
        fmt::format("quaver_inference_{}_seconds", name), help, kLatencyBounds,
        labels);
  };
  request_seconds_ = add_histogram("request", "From a request to its answer.");
  queue_seconds_ = add_histogram(
      "queue", "That a request waited for a thread and an instance.");
  compute_seconds_ = add_histogram("compute", "In the model.");
  if (servable != nullptr)
    servable_metrics_.emplace(*servable, labels, metrics);
}

void ModelStatistics::RecordSuccess(int64_t batch_size, const InferTimes& times,
                                    int64_t now_ms) {
  requests_.Increment();
  request_us_.Increment(static_cast<double>(times.total_us));
  queue_us_.Increment(static_cast<double>(times.queue_us));
  input_us_.Increment(static_cast<double>(times.input_us));
  output_us_.Increment(static_cast<double>(times.output_us));
  request_seconds_.Observe(Seconds(times.total_us));
  queue_seconds_.Observe(Seconds(times.queue_us));
  if (!times.from_cache) {
    infer_us_.Increment(static_cast<double>(times.infer_us));
    compute_seconds_.Observe(Seconds(times.infer_us));
    if (!forms_batches_) {
      inferences_.Increment(static_cast<double>(batch_size));
      executions_.Increment();
    }
  }

  const MutexLock lock(&mutex_);
  last_inference_ms_ = now_ms;
  success_.Add(times.total_us);
  queue_.Add(times.queue_us);
  if (times.from_cache) return;
  BatchSums& sums = by_batch_size_[batch_size];
  sums.input.Add(times.input_us);
  sums.infer.Add(times.infer_us);
  sums.output.Add(times.output_us);
}

void ModelStatistics::RecordFailure(FailureReason reason, int64_t total_us) {
  failures_[static_cast<size_t>(reason)].Increment();
  const MutexLock lock(&mutex_);
  fail_.Add(total_us);
}

Json ModelStatistics::BatchJson(int64_t batch_size, const BatchSums& sums) {
  return {{"batch_size", batch_size},
          {"compute_input", SumJson(sums.input)},
          {"compute_infer", SumJson(sums.infer)},
          {"compute_output", SumJson(sums.output)}};
}

Json ModelStatistics::ToJson() const {
  const ServableCounts counts =
      servable_ == nullptr ? ServableCounts{} : servable_->counts();
  const CacheStatistics cache = counts.cache.value_or(CacheStatistics{});
  const MutexLock lock(&mutex_);
  BatchSums all;
  uint64_t num_asked = 0;
  for (const auto& [size, sums] : by_batch_size_) {
    all.input.Add(sums.input);
    all.infer.Add(sums.infer);
    all.output.Add(sums.output);
    num_asked += static_cast<uint64_t>(size) * sums.infer.count;
  }
  uint64_t num_inferences = 0;
  uint64_t num_executions = 0;
  Json batches = Json::array();
  if (counts.batcher) {
    for (const auto& [size, of_size] : counts.batcher->by_size) {
      num_inferences += static_cast<uint64_t>(size) * of_size.count;
      num_executions += of_size.count;
      batches.push_back(BatchJson(
          size, {.input = {.count = of_size.count},
                 .infer = {.count = of_size.count, .us = of_size.compute_us},
                 .output = {.count = of_size.count}}));
    }
  } else {
    num_inferences = num_asked;
    num_executions = all.infer.count;
    for (const auto& [size, sums] : by_batch_size_) {
      batches.push_back(BatchJson(size, sums));
    }
  }
  return {
      {"name", model_},
      {"version", version_},
      {"last_inference", last_inference_ms_},
      {"inference_count", num_inferences},
      {"execution_count", num_executions},
      {"inference_stats",
       {{"success", SumJson(success_)},
        {"fail", SumJson(fail_)},
        {"queue", SumJson(queue_)},
        {"compute_input", SumJson(all.input)},
        {"compute_infer", SumJson(all.infer)},
        {"compute_output", SumJson(all.output)},
        {"cache_hit", SumJson({.count = cache.num_hits, .us = cache.hit_us})},
        {"cache_miss",
         SumJson({.count = cache.num_misses, .us = cache.miss_us})}}},
      {"response_stats", Json::object()},
      {"batch_stats", std::move(batches)},
      {"memory_usage", Json::array()}};
}

}  // namespace quaver
