// The threads that answer gRPC calls, and what is counted of the answers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include <grpcpp/support/status.h>

#include "quaver/base/metrics.h"
#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/serve/internal/worker_pool.h"

namespace quaver {

struct GrpcWorkConfig {
  int max_threads = 1;           // that start as calls come
  size_t max_queue = 0;          // calls that wait for a thread
  size_t max_bytes = 256 << 20;  // of requests that wait or are answered
};

// Thread-safe.
class GrpcWork {
 public:
  GrpcWork(const GrpcWorkConfig& config, Metrics& metrics);

  // Runs the job on a thread. Unavailable, and the job is not kept, when too
  // many calls or bytes wait. `bytes` count until the job is done.
  absl::Status Post(size_t bytes, std::function<void()> job);

  // quaver_grpc_requests_total{method, code}, code being a number, and
  // quaver_grpc_request_seconds{method}, since `received_us`.
  void CountAnswer(const std::string& method, grpc::StatusCode code,
                   int64_t received_us) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const size_t max_bytes_;
  std::atomic<size_t> bytes_{0};
  Metrics& metrics_;
  Mutex mutex_;
  std::map<std::pair<std::string, int>, Counter> requests_
      ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Histogram> seconds_ ABSL_GUARDED_BY(mutex_);
  WorkerPool pool_;  // the first to go, as its jobs use the others
};

}  // namespace quaver
