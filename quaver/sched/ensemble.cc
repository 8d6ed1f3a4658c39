// See ensemble.h.
#include "quaver/sched/ensemble.h"

#include <optional>
#include <utility>

#include "quaver/base/workers.h"
#include "quaver/sched/internal/ensemble_graph.h"
#include "quaver/sched/internal/ensemble_run.h"
#include "quaver/sched/tensors.h"

namespace quaver {

absl::StatusOr<std::unique_ptr<EnsembleServable>> EnsembleServable::Create(
    const EnsembleConfig& config, Find find, const Clock& clock) {
  if (config.max_inflight_requests < 0 || config.num_threads < 0) {
    return absl::InvalidArgumentError(
        fmt::format("ensemble '{}': max_inflight_requests or num_threads is "
                    "negative",
                    config.name));
  }
  auto ensemble = std::unique_ptr<EnsembleServable>(
      new EnsembleServable(config, std::move(find), clock));
  ASSIGN_OR_RETURN(const Members members, ensemble->FindMembers());
  std::vector<MemberSpecs> specs;
  for (const auto& member : members) {
    specs.push_back({member->inputs(), member->outputs()});
  }
  ASSIGN_OR_RETURN(EnsembleGraph graph, CompileEnsemble(config, specs));
  if (graph.has_branches) {
    ensemble->threads_ = std::make_unique<EnsembleThreads>(
        config.num_threads == 0 ? AvailableCores() : config.num_threads);
  }
  ensemble->graph_ = std::make_unique<const EnsembleGraph>(std::move(graph));
  return ensemble;
}

EnsembleServable::EnsembleServable(const EnsembleConfig& config, Find find,
                                   const Clock& clock)
    : config_(config), find_(std::move(find)), clock_(clock) {
  const MutexLock lock(&mutex_);
  for (const EnsembleStep& step : config_.steps) {
    step_counts_.push_back({.model = step.model});
    if (config_.max_inflight_requests == 0) continue;
    places_.push_back(std::make_unique<InstancePool>(
        InstancePoolConfig{.num_instances = config_.max_inflight_requests,
                           .max_waiting = kMaxWaiting},
        clock_));
  }
}

EnsembleServable::~EnsembleServable() = default;

absl::Status EnsembleServable::InStep(size_t step,
                                      const absl::Status& status) const {
  return absl::Status(
      status.code(),
      fmt::format("ensemble '{}', step {} ('{}'): {}", config_.name, step + 1,
                  config_.steps[step].model, Message(status)));
}

absl::StatusOr<EnsembleServable::Members> EnsembleServable::FindMembers()
    const {
  Members members;
  for (size_t i = 0; i < config_.steps.size(); ++i) {
    auto member = find_(config_.steps[i].model, config_.steps[i].version);
    if (!member.ok()) return InStep(i, member.status());
    members.push_back(*std::move(member));
  }
  return members;
}

absl::StatusOr<Tensors> EnsembleServable::AskMember(size_t step,
                                                    Servable& member,
                                                    const Tensors& request,
                                                    const CallOptions& options,
                                                    CallTimes& times) {
  RETURN_IF_ERROR(CheckWanted(options, clock_.NowUs()));
  CallOptions of_member = options;
  of_member.outputs = {};  // the ensemble's have other names
  std::optional<InstancePool::Lease> place;
  if (!places_.empty()) {
    const int64_t came_us = clock_.NowUs();
    auto acquired = places_[step]->Acquire(options.deadline_us);
    times.queue_us += clock_.NowUs() - came_us;
    RETURN_IF_ERROR(acquired.status());
    place.emplace(*std::move(acquired));
    RETURN_IF_ERROR(CheckWanted(options, clock_.NowUs()));
  }
  auto answer = member.Infer(request, of_member, &times);
  if (!answer.ok()) return answer;
  for (const EnsembleGraph::End& output : graph_->steps[step].outputs) {
    if (FindTensor(*answer, output.name) == nullptr) {
      return absl::InternalError(
          fmt::format("the model gave no output '{}'", output.name));
    }
  }
  return answer;
}

absl::StatusOr<Tensors> EnsembleServable::ComputeStep(
    size_t step, Servable& member, const Tensors& request,
    const CallOptions& options, CallTimes& times) {
  const Stopwatch stopwatch(clock_);
  auto answer = AskMember(step, member, request, options, times);
  {
    const MutexLock lock(&mutex_);
    EnsembleStepStatistics& counts = step_counts_[step];
    ++(answer.ok() ? counts.num_succeeded : counts.num_failed);
    counts.times.queue_us += times.queue_us;
    counts.times.compute_us += times.compute_us;
    counts.total_us += stopwatch.ElapsedUs();
  }
  if (!answer.ok()) return InStep(step, answer.status());
  return answer;
}

absl::StatusOr<Tensors> EnsembleServable::Infer(const Tensors& request,
                                                const CallOptions& options,
                                                CallTimes* times) {
  RETURN_IF_ERROR(CheckWanted(options, clock_.NowUs()));
  ASSIGN_OR_RETURN(const Members members, FindMembers());
  const auto run = std::make_shared<EnsembleRun>(
      *graph_, [&](size_t step, const Tensors& inputs, CallTimes& step_times) {
        return ComputeStep(step, *members[step], inputs, options, step_times);
      });
  RETURN_IF_ERROR(run->Start(request));
  while (run->AwaitWork()) {
    const size_t num_ready = run->num_ready();
    if (threads_ != nullptr && num_ready > 1) {
      threads_->Offer(run, num_ready - 1);
    }
    run->ComputeOne();
  }
  if (threads_ != nullptr) threads_->Withdraw(run);
  return run->Finish(config_.outputs, times);
}

ServableCounts EnsembleServable::counts() const {
  const MutexLock lock(&mutex_);
  return {.ensemble = step_counts_};
}

}  // namespace quaver
