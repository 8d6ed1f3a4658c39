// See infer_call.h.
#include "quaver/serve/infer_call.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace quaver {
namespace {

int64_t UnixMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

struct Progress {
  InferTimes times;
  int64_t batch_size = 1;
  bool in_model = false;
};

FailureReason ReasonOf(const absl::Status& status, bool in_model) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return FailureReason::kRejected;
    case absl::StatusCode::kCancelled:
      return FailureReason::kCanceled;
    default:
      return in_model ? FailureReason::kBackend : FailureReason::kOther;
  }
}

// What they point to lives as long as the request and `outputs`.
CallOptions OptionsOf(const KserveModel& model, const InferCaller& caller,
                      const InferRequest& request,
                      std::span<const std::string> outputs) {
  CallOptions options{.priority = request.priority,
                      .timeout_us = request.timeout_us,
                      .deadline_us = caller.deadline_us,
                      .cancelled = caller.cancelled,
                      .request_id = request.id,
                      .parameters = request.parameters,
                      .outputs = outputs};
  if (request.timeout_us > 0 && !model.config.has_queue_policy) {
    const int64_t timeout_at_us =
        caller.received_us +
        std::min(request.timeout_us, kNever - caller.received_us);
    options.deadline_us = std::min(options.deadline_us, timeout_at_us);
  }
  return options;
}

absl::Status RunSteps(KserveModel& model, const InferCaller& caller,
                      ReadInferRequest read, WriteInferAnswer write,
                      const Clock& clock, Progress& progress) {
  Stopwatch stopwatch(clock);
  ASSIGN_OR_RETURN(const InferRequest request, read());
  progress.times.input_us = stopwatch.LapUs();
  progress.batch_size = request.batch_size;
  std::vector<std::string> wanted;
  for (const auto& output : request.outputs) wanted.push_back(output.name);
  const CallOptions options = OptionsOf(model, caller, request, wanted);
  RETURN_IF_ERROR(CheckWanted(options, clock.NowUs()));
  progress.in_model = true;
  CallTimes model_times;
  ASSIGN_OR_RETURN(
      const Tensors outputs,
      model.servable->Infer(request.inputs, options, &model_times));
  progress.in_model = false;
  progress.times.queue_us += model_times.queue_us;
  progress.times.infer_us = stopwatch.LapUs() - model_times.queue_us;
  progress.times.from_cache = model_times.from_cache;
  RETURN_IF_ERROR(write(request, outputs));
  progress.times.output_us = stopwatch.LapUs();
  return absl::OkStatus();
}

}  // namespace

void CountInfer(ModelStatistics& statistics, const absl::Status& status,
                const InferTimes& times, int64_t batch_size, bool in_model) {
  if (status.ok()) {
    statistics.RecordSuccess(batch_size, times, UnixMs());
  } else {
    statistics.RecordFailure(ReasonOf(status, in_model), times.total_us);
  }
}

std::vector<std::pair<std::string, std::string>> TimingFields(
    const InferTimes& times) {
  const auto milliseconds = [](int64_t us) {
    return fmt::format("{:.3f}", static_cast<double>(us) * 1e-3);
  };
  return {{"X-Total-Time", milliseconds(times.total_us)},
          {"X-Queue-Time", milliseconds(times.queue_us)},
          {"X-Inference-Time", milliseconds(times.infer_us)}};
}

absl::StatusOr<InferTimes> RunInfer(KserveModel& model,
                                    const InferCaller& caller,
                                    ReadInferRequest read,
                                    WriteInferAnswer write,
                                    const Clock& clock) {
  Progress progress;
  InferTimes& times = progress.times;
  times.queue_us = clock.NowUs() - caller.received_us;
  const absl::Status status =
      RunSteps(model, caller, read, write, clock, progress);
  times.total_us = clock.NowUs() - caller.received_us;
  CountInfer(model.statistics, status, times, progress.batch_size,
             progress.in_model);
  if (!status.ok()) return status;
  return times;
}

absl::StatusOr<Tensors> InferCounted(KserveModel& model, const Tensors& request,
                                     const CallOptions& options,
                                     CallTimes* times, const Clock& clock) {
  const Stopwatch stopwatch(clock);
  CallTimes model_times;
  auto outputs = model.servable->Infer(request, options, &model_times);
  if (times != nullptr) {
    times->queue_us += model_times.queue_us;
    times->compute_us += model_times.compute_us;
    times->from_cache = model_times.from_cache;
  }
  InferTimes counted;
  counted.total_us = stopwatch.ElapsedUs();
  counted.queue_us = model_times.queue_us;
  counted.from_cache = model_times.from_cache;
  counted.infer_us = counted.total_us - counted.queue_us;
  const bool has_rows = model.config.max_batch_size > 0 && !request.empty() &&
                        !request[0].shape.empty();
  CountInfer(model.statistics, outputs.status(), counted,
             has_rows ? request[0].shape[0] : 1);
  return outputs;
}

HttpResponse CallModel(KserveModel& model, const HttpRequest& request,
                       const InferProtocol& protocol, const Clock& clock) {
  HttpResponse response;
  const auto write = [&](const InferRequest& asked, const Tensors& outputs) {
    auto written = protocol.write(asked, outputs);
    if (written.ok()) response = *std::move(written);
    return written.status();
  };
  const auto times = RunInfer(
      model,
      {.received_us = request.received_us, .cancelled = request.gone.get()},
      protocol.read, write, clock);
  if (!times.ok()) return protocol.write_error(times.status());
  for (auto& field : TimingFields(*times)) {
    response.headers.push_back(std::move(field));
  }
  return response;
}

}  // namespace quaver
