// Models whose outputs are others' inputs, Triton's ensemble_scheduling, as one
// servable.
//
//   EnsembleConfig config = {.name = "search", .inputs = ..., .outputs = ...,
//       .steps = {{"tokenizer", -1, {{"TEXT", "QUERY"}}, {{"IDS", "ids"}}},
//                 {"encoder", -1, {{"IDS", "ids"}}, {{"EMBEDDING", "OUT"}}}}};
//   ASSIGN_OR_RETURN(auto ensemble, EnsembleServable::Create(config, find));
//
// Law
//
// A step begins when all its inputs are there. The caller's thread computes the
// steps; while several are ready, idle threads of the ensemble's own take some
// of them. There are num_threads of those for all calls together, as steps
// mostly wait for their models' instances: a thread more than there are
// instances gains nothing, and a call needs none to make progress. An ensemble
// that has no two steps that could run side by side has none.
//
// The members are looked up when a call begins and held until it ends: a call
// that began before a member was reloaded or unloaded keeps the old one.
//
// Tensors between steps are moved to the last step that takes them, and copied
// to others. [B] and [B, 1] are one shape: who takes a tensor gets the one that
// it declares.
//
// All steps have the call's deadline, cancellation and other options; both are
// looked at before each step. The first step that fails is the call's error, by
// its code, naming the step; no step begins any more, and the call returns when
// those that run are done.
//
// max_inflight_requests bounds each step: as many calls of the ensemble compute
// or queue in its member at once, further ones wait for a place, first come,
// first served, until their deadline. Nothing is refused for it before
// kMaxWaiting calls wait (Unavailable): it is back pressure, as in Triton.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/clock.h"
#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/sched/instances.h"
#include "quaver/sched/servable.h"

namespace quaver {

struct EnsembleGraph;
class EnsembleThreads;

struct EnsembleStep {
  std::string model;
  int64_t version = -1;                           // -1: the newest
  std::map<std::string, std::string> input_map;   // member's input -> tensor
  std::map<std::string, std::string> output_map;  // member's output -> tensor
};

struct EnsembleConfig {
  std::string name;
  // The batch dimension included, as everywhere.
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::vector<EnsembleStep> steps;
  int max_inflight_requests = 0;  // 0: no bound
  int num_threads = 0;            // beside the callers'; 0: AvailableCores()
};

// Thread-safe. REQUIRES: every Infer returned before the destruction.
class EnsembleServable : public Servable {
 public:
  static constexpr int kMaxWaiting = 1024;

  // NotFound for a model that is none.
  using Find = std::function<absl::StatusOr<std::shared_ptr<Servable>>(
      const std::string& model, int64_t version)>;

  // `find` is called here, and by each call from its thread. InvalidArgument,
  // naming step and tensor: a model's input or output that is none, another
  // datatype or shape on the two sides of a tensor, an input that a model needs
  // and nothing gives, also because it is an optional one of the ensemble, a
  // tensor that two steps make or that nobody takes, a cycle. Errors as find's.
  static absl::StatusOr<std::unique_ptr<EnsembleServable>> Create(
      const EnsembleConfig& config, Find find,
      const Clock& clock = Clock::Real());
  ~EnsembleServable() override;

  std::vector<TensorSpec> inputs() const override { return config_.inputs; }
  std::vector<TensorSpec> outputs() const override { return config_.outputs; }
  using Servable::Infer;
  // Besides the members' errors: InvalidArgument for an input that is missing,
  // unknown or there twice; Internal for a member that does not give an output.
  // Times are those of the chain of steps that took longest of its kind.
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override;

  // With each step's, in the order of the configuration.
  ServableCounts counts() const override;

 private:
  using Members = std::vector<std::shared_ptr<Servable>>;  // of the steps
  EnsembleServable(const EnsembleConfig& config, Find find, const Clock& clock);
  absl::StatusOr<Members> FindMembers() const;
  // The status, with the step's name.
  absl::Status InStep(size_t step, const absl::Status& status) const;
  absl::StatusOr<Tensors> AskMember(size_t step, Servable& member,
                                    const Tensors& request,
                                    const CallOptions& options,
                                    CallTimes& times);
  // The same, counted.
  absl::StatusOr<Tensors> ComputeStep(size_t step, Servable& member,
                                      const Tensors& request,
                                      const CallOptions& options,
                                      CallTimes& times)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const EnsembleConfig config_;
  const Find find_;
  const Clock& clock_;
  std::unique_ptr<const EnsembleGraph> graph_;
  std::unique_ptr<EnsembleThreads> threads_;  // null: no two steps run at once
  std::vector<std::unique_ptr<InstancePool>> places_;  // of the steps, or none
  mutable Mutex mutex_;
  std::vector<EnsembleStepStatistics> step_counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quaver
