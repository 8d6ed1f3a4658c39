// See infer_call.h.
#include "quaver/serve/infer_call.h"

#include <chrono>

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

absl::StatusOr<HttpResponse> RunSteps(KserveModel& model,
                                      const HttpRequest& http,
                                      const InferProtocol& protocol,
                                      const Clock& clock, Progress& progress) {
  Stopwatch stopwatch(clock);
  ASSIGN_OR_RETURN(const InferRequest request, protocol.read());
  progress.times.input_us = stopwatch.LapUs();
  progress.batch_size = request.batch_size;
  if (request.timeout_us > 0 &&
      clock.NowUs() - http.received_us > request.timeout_us) {
    return absl::DeadlineExceededError("Request timeout expired");
  }
  progress.in_model = true;
  ASSIGN_OR_RETURN(const Tensors outputs,
                   model.servable->Infer(request.inputs));
  progress.in_model = false;
  progress.times.infer_us = stopwatch.LapUs();
  ASSIGN_OR_RETURN(HttpResponse response, protocol.write(request, outputs));
  progress.times.output_us = stopwatch.LapUs();
  return response;
}

void AddTimes(const InferTimes& times, HttpResponse& response) {
  const auto add = [&](const char* name, int64_t us) {
    response.headers.emplace_back(
        name, fmt::format("{:.3f}", static_cast<double>(us) * 1e-3));
  };
  add("X-Total-Time", times.total_us);
  add("X-Queue-Time", times.queue_us);
  add("X-Inference-Time", times.infer_us);
}

}  // namespace

HttpResponse CallModel(KserveModel& model, const HttpRequest& request,
                       const InferProtocol& protocol, const Clock& clock) {
  Progress progress;
  InferTimes& times = progress.times;
  times.queue_us = clock.NowUs() - request.received_us;
  auto response = RunSteps(model, request, protocol, clock, progress);
  times.total_us = clock.NowUs() - request.received_us;
  if (!response.ok()) {
    model.statistics.RecordFailure(
        ReasonOf(response.status(), progress.in_model), times.total_us);
    return protocol.write_error(response.status());
  }
  model.statistics.RecordSuccess(progress.batch_size, times, UnixMs());
  AddTimes(times, *response);
  return *std::move(response);
}

}  // namespace quaver
