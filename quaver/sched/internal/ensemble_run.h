// One call of an ensemble: its tensors, and which steps are ready.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/sched/internal/ensemble_graph.h"

namespace quaver {

// Thread-safe from Start on.
class EnsembleRun {
 public:
  // Asks a step's member. The answer has all the step's outputs.
  using Ask = std::function<absl::StatusOr<Tensors>(
      size_t step, const Tensors& request, CallTimes& times)>;

  // `graph` outlives it; `ask` is called until AwaitWork says no, and not
  // after.
  EnsembleRun(const EnsembleGraph& graph, Ask ask);

  // InvalidArgument for an input that is missing, unknown or there twice.
  // Called once, first.
  absl::Status Start(const Tensors& request) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t num_ready() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes a step that is ready and computes it. Whether there was one.
  bool ComputeOne() ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until a step is ready (true) or all is done.
  bool AwaitWork() ABSL_LOCKS_EXCLUDED(mutex_);
  // The ensemble's outputs or the first error. Called once, last.
  absl::StatusOr<Tensors> Finish(const std::vector<TensorSpec>& outputs,
                                 CallTimes* times) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Tensors TakeInputs(size_t step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Tensor Take(size_t wire) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Put(size_t step, Tensors outputs) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddTimes(size_t step, const CallTimes& times)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fail(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasWorkOrEnded() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const EnsembleGraph& graph_;
  const Ask ask_;
  mutable Mutex mutex_;
  // By wire: what is there, and how many still take it.
  std::vector<std::optional<Tensor>> tensors_ ABSL_GUARDED_BY(mutex_);
  std::vector<size_t> takers_left_ ABSL_GUARDED_BY(mutex_);
  // By step: inputs that are not there yet; times of the longest chain to it.
  std::vector<size_t> missing_ ABSL_GUARDED_BY(mutex_);
  std::vector<CallTimes> chains_ ABSL_GUARDED_BY(mutex_);
  std::deque<size_t> ready_ ABSL_GUARDED_BY(mutex_);
  size_t num_running_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
};

// Threads that help calls with their steps.
class EnsembleThreads {
 public:
  explicit EnsembleThreads(int num_threads);
  ~EnsembleThreads();

  // So many threads may look at the run, when they are idle.
  void Offer(const std::shared_ptr<EnsembleRun>& run, size_t num_threads)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // None that has not yet does so any more.
  void Withdraw(const std::shared_ptr<EnsembleRun>& run)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  // Null: stop.
  std::shared_ptr<EnsembleRun> Next() ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  std::deque<std::shared_ptr<EnsembleRun>> offers_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace quaver
