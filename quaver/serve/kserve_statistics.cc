// See kserve_statistics.h.
#include "quaver/serve/kserve_statistics.h"

#include <nlohmann/json.hpp>

namespace quaver {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, 4> kReasons = {"REJECTED", "CANCELED",
                                                 "BACKEND", "OTHER"};

}  // namespace

void ModelStatistics::Sum::Add(int64_t duration_us) {
  ++count;
  us += duration_us;
}

Json ModelStatistics::SumJson(const Sum& sum) {
  return {{"count", sum.count}, {"ns", sum.us * 1'000}};
}

ModelStatistics::ModelStatistics(const std::string& model,
                                 const std::string& version, Metrics& metrics)
    : model_(model), version_(version) {
  const Labels labels = {{"model", model}, {"version", version}};
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
    failures_[i] = metrics.AddCounter(
        "nv_inference_request_failure", "Inference requests that failed.",
        {{"model", model}, {"version", version}, {"reason", kReasons[i]}});
  }
}

void ModelStatistics::RecordSuccess(int64_t batch_size, const InferTimes& times,
                                    int64_t now_ms) {
  requests_.Increment();
  inferences_.Increment(static_cast<double>(batch_size));
  executions_.Increment();
  request_us_.Increment(static_cast<double>(times.total_us));
  queue_us_.Increment(static_cast<double>(times.queue_us));
  input_us_.Increment(static_cast<double>(times.input_us));
  infer_us_.Increment(static_cast<double>(times.infer_us));
  output_us_.Increment(static_cast<double>(times.output_us));

  const MutexLock lock(&mutex_);
  last_inference_ms_ = now_ms;
  num_inferences_ += static_cast<uint64_t>(batch_size);
  success_.Add(times.total_us);
  queue_.Add(times.queue_us);
  for (BatchSums* sums : {&all_, &by_batch_size_[batch_size]}) {
    sums->input.Add(times.input_us);
    sums->infer.Add(times.infer_us);
    sums->output.Add(times.output_us);
  }
}

void ModelStatistics::RecordFailure(FailureReason reason, int64_t total_us) {
  failures_[static_cast<size_t>(reason)].Increment();
  const MutexLock lock(&mutex_);
  fail_.Add(total_us);
}

Json ModelStatistics::ToJson() const {
  const MutexLock lock(&mutex_);
  Json batches = Json::array();
  for (const auto& [batch_size, sums] : by_batch_size_) {
    batches.push_back({{"batch_size", batch_size},
                       {"compute_input", SumJson(sums.input)},
                       {"compute_infer", SumJson(sums.infer)},
                       {"compute_output", SumJson(sums.output)}});
  }
  return {{"name", model_},
          {"version", version_},
          {"last_inference", last_inference_ms_},
          {"inference_count", num_inferences_},
          {"execution_count", all_.infer.count},
          {"inference_stats",
           {{"success", SumJson(success_)},
            {"fail", SumJson(fail_)},
            {"queue", SumJson(queue_)},
            {"compute_input", SumJson(all_.input)},
            {"compute_infer", SumJson(all_.infer)},
            {"compute_output", SumJson(all_.output)},
            {"cache_hit", SumJson({})},
            {"cache_miss", SumJson({})}}},
          {"response_stats", Json::object()},
          {"batch_stats", std::move(batches)},
          {"memory_usage", Json::array()}};
}

}  // namespace quaver
