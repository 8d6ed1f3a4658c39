// See grpc_work.h.
#include "quaver/serve/internal/grpc_work.h"

#include "quaver/base/clock.h"
#include "quaver/serve/internal/latency_bounds.h"

namespace quaver {

GrpcWork::GrpcWork(const GrpcWorkConfig& config, Metrics& metrics)
    : max_bytes_(config.max_bytes),
      metrics_(metrics),
      pool_(
          {.max_threads = config.max_threads, .max_queue = config.max_queue}) {}

absl::Status GrpcWork::Post(size_t bytes, std::function<void()> job) {
  if (bytes_.fetch_add(bytes) + bytes > max_bytes_) {
    bytes_ -= bytes;
    return absl::UnavailableError(fmt::format(
        "too many requests: they have more than {} bytes", max_bytes_));
  }
  const bool is_taken = pool_.TryPost([this, bytes, job = std::move(job)] {
    job();
    bytes_ -= bytes;
  });
  if (is_taken) return absl::OkStatus();
  bytes_ -= bytes;
  return absl::UnavailableError("Exceeds maximum queue size");
}

void GrpcWork::CountAnswer(const std::string& method, grpc::StatusCode code,
                           int64_t received_us) {
  const auto us = static_cast<double>(Clock::Real().NowUs() - received_us);
  const MutexLock lock(&mutex_);
  const auto [requests, is_new] =
      requests_.try_emplace({method, static_cast<int>(code)});
  if (is_new) {
    requests->second = metrics_.AddCounter(
        "quaver_grpc_requests_total", "Messages that gRPC calls answered.",
        {{"method", method}, {"code", fmt::to_string(static_cast<int>(code))}});
  }
  const auto [seconds, is_new_method] = seconds_.try_emplace(method);
  if (is_new_method) {
    seconds->second =
        metrics_.AddHistogram("quaver_grpc_request_seconds",
                              "From the last byte of a message to its answer.",
                              kLatencyBounds, {{"method", method}});
  }
  requests->second.Increment();
  seconds->second.Observe(us * 1e-6);
}

}  // namespace quaver
