// One batch of a Python model: what its process is asked, what it asks, and
// when nobody waits any more.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/base/thread_annotations.h"

#include "quaver/backends/internal/python_process.h"
#include "quaver/backends/internal/waiting_threads.h"
#include "quaver/backends/python_config.h"
#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/sched/batching.h"

namespace quaver {

// A call in a batch. Outlives its caller, who may leave at the deadline: its
// options refer to nothing of the caller's then.
struct PythonJob : BatchItem {
  std::string request;  // as the protocol has it
  std::string kind_bytes;
  Tensors outputs;  // where the status is OK
  std::atomic<bool> begun{false};
  std::atomic<bool> left{false};  // its caller

  void Finish() ABSL_LOCKS_EXCLUDED(mutex);
  bool AwaitDone(int64_t timeout_us) ABSL_LOCKS_EXCLUDED(mutex);
  bool IsDone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return done; }

  Mutex mutex;
  bool done ABSL_GUARDED_BY(mutex) = false;
};

// Thread-safe.
class PythonExecution {
 public:
  // Both outlive it.
  PythonExecution(const PythonConfig& config, WaitingThreads& threads)
      : config_(config), threads_(threads) {}

  // Blocks until the process has answered, is dead or to be killed: the
  // returned status is its health. Sets the jobs' statuses and outputs.
  absl::Status Run(const std::shared_ptr<PythonProcess>& process,
                   std::span<PythonJob* const> jobs);
  // From now on a process has finalize_limit_us for a batch that nobody waits
  // for.
  void Stop() { stopping_ = true; }

 private:
  struct Batch;
  // Until the batch is answered.
  absl::Status Converse(Batch& batch);
  absl::Status SendRequests(const Batch& batch) const;
  absl::Status ReadMessage(const PythonMessage& message, Batch& batch);
  // Tells the process who has left. If all have, calls of other models end.
  absl::Status NoticeLeft(Batch& batch) const;
  absl::Status ReadAnswers(const std::string& payload, Batch& batch) const;
  // Of one request's answer.
  absl::Status CheckOutputs(const Tensors& outputs, const PythonJob& job) const;
  absl::Status StartCall(const std::string& payload, Batch& batch);
  absl::Status AnswerReady(const std::string& payload, Batch& batch) const;

  const PythonConfig& config_;
  WaitingThreads& threads_;
  std::atomic<bool> stopping_{false};
};

// InvalidArgument unless the tensor is as the specification says; "input TEXT
// is FP32[1, 2], expected BYTES[-1, 1]".
absl::Status CheckTensor(const char* kind, const Tensor& tensor,
                         const TensorSpec& spec);

}  // namespace quaver
