// A user's script as a servable, in the shape of Triton's Python backend: a
// class TritonPythonModel in a process of its own.
//
//   ASSIGN_OR_RETURN(auto model, PythonServable::Create(
//       {.model_name = "m", .model_folder = "repository/m",
//        .version_folder = "repository/m/1", .model_config = json}));
//   model->Infer(request);  // execute([request])
//
// Law
//
// Each instance is a process (internal/python_protocol.h says how it is talked
// to). The requests of a batch go to execute() in one list, each with its own
// tensors; when a batch closes is the law of sched/batcher.h, where an item is
// a call. Those of a batch have the same inputs, of the same shape but for the
// batch dimension; of `ragged` inputs, of the same number of dimensions.
//
// A process that dies, breaks the protocol or is killed fails the batch that it
// had (Unavailable) and is started again, after a pause that doubles with each
// failure in a row up to kMaxBackoffUs. After max_failures of them, and while
// no process works, calls are refused at once with the reason.
//
// A call ends with its batch, at its deadline or soon after it is cancelled,
// whatever the script does. The script may learn by is_cancelled() that nobody
// waits; else it finishes, and its process stays. A process that does not
// answer is killed after execute_limit_us, or finalize_limit_us after the
// destruction began.
//
// A script may call other models, or its own, while execute() runs. Such calls
// end at the latest deadline of the batch and are at most kMaxDepth deep. They
// wait for a process of a Python model for nested_wait_us and no longer, so
// that models that call each other in a circle do not wait for ever.
//
// Processes are killed when this one dies, and have no open files of it. What
// they print is logged with the model's name.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/backends/python_config.h"
#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/sched/batcher.h"
#include "quaver/sched/servable.h"

namespace quaver {

class PythonExecution;
class PythonPool;
class WaitingThreads;
struct PythonJob;

// Thread-safe. REQUIRES: every Infer returned before the destruction.
class PythonServable : public Servable {
 public:
  static constexpr int kMaxDepth = 8;
  static constexpr int64_t kMaxBackoffUs = 10'000'000;

  // Starts the processes; returns when each has run initialize(). First the
  // script's auto_complete_config completes the configuration, in a process of
  // its own. InvalidArgument when that names no input or output even so, and
  // for an interpreter that is none, NotFound for a script that is not there,
  // Internal with the last line of the traceback for a script that fails.
  static absl::StatusOr<std::unique_ptr<PythonServable>> Create(
      PythonConfig config);
  // Runs finalize() in each process, for finalize_limit_us at most.
  ~PythonServable() override;

  std::vector<TensorSpec> inputs() const override { return config_.inputs; }
  std::vector<TensorSpec> outputs() const override { return config_.outputs; }
  using Servable::Infer;
  // InvalidArgument for inputs that do not fit; the batcher's errors; what the
  // script answers; Internal when it raises or its outputs do not fit. An
  // output that it leaves out is missing in the answer.
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override;
  // By all processes, one after the other, beside the batcher. As Infer's
  // errors; DeadlineExceeded when one is not free within start_limit_us.
  absl::Status WarmUp(const Tensors& request) override;
  ServableCounts counts() const override;
  // Returns when new processes have run initialize(), or those that are too
  // many finalize(). When that fails nothing changes; errors as Create's.
  absl::Status Resize(int num_instances) override
      ABSL_LOCKS_EXCLUDED(resizing_);

  // As configured, or completed by the script.
  int max_batch_size() const { return config_.max_batch_size; }
  bool batches() const { return config_.batching.has_value(); }

 private:
  explicit PythonServable(PythonConfig config);
  absl::Status Start();
  // The rows of a request; InvalidArgument names the tensor that is wrong.
  absl::StatusOr<int> CheckInputs(const Tensors& request) const;
  // For a call with these options, whatever they point to.
  absl::StatusOr<std::shared_ptr<PythonJob>> MakeJob(
      const Tensors& request, const CallOptions& options) const;
  // Waits in the calling thread no longer than the options say.
  absl::Status Await(const std::shared_ptr<PythonJob>& job,
                     const CallOptions& options);
  void ComputeBatch(std::span<BatchItem* const> batch);

  PythonConfig config_;
  std::unique_ptr<WaitingThreads> threads_;
  std::unique_ptr<PythonExecution> execution_;
  Mutex resizing_;  // one at a time
  std::unique_ptr<PythonPool> pool_;
  std::unique_ptr<Batcher> batcher_;
};

}  // namespace quaver
