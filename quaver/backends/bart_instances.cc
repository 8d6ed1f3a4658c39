// See bart_instances.h.
#include "quaver/backends/bart_instances.h"

#include <algorithm>
#include <utility>

#include "quaver/base/clock.h"
#include "quaver/base/cores.h"
#include "quaver/base/workers.h"
#include "quaver/engine/team.h"

namespace quaver {
namespace {

absl::Status CheckConfig(const BartNetworkConfig& config) {
  const auto refuse = [](const char* what) {
    return absl::InvalidArgumentError(
        fmt::format("BartNetworkConfig: {}", what));
  };
  if (config.num_instances < 0) return refuse("num_instances is negative");
  if (config.max_waiting < 0) return refuse("max_waiting is negative");
  if (config.max_tokens < 1) return refuse("max_tokens is below 1");
  if (config.threads_per_instance < 1) {
    return refuse("threads_per_instance is below 1");
  }
  if (std::any_of(config.cores.begin(), config.cores.end(),
                  [](int core) { return core < 0; })) {
    return refuse("a core is negative");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<BartInstances>> BartInstances::Create(
    const BartNetworkConfig& config, const Kernels& kernels) {
  RETURN_IF_ERROR(CheckConfig(config));
  ASSIGN_OR_RETURN(auto model, BartModel::Load(config.model_folder, kernels));
  return std::unique_ptr<BartInstances>(
      new BartInstances(config, std::move(model)));
}

BartInstances::BartInstances(const BartNetworkConfig& config,
                             std::unique_ptr<const BartModel> model)
    : model_(std::move(model)),
      max_tokens_(std::min(config.max_tokens, model_->config().max_positions)),
      threads_per_instance_(config.threads_per_instance),
      cores_(config.cores),
      pool_({.num_instances = NumInstances(config.num_instances,
                                           config.threads_per_instance),
             .max_waiting = config.max_waiting}),
      instances_(MakeInstances(pool_.num_instances())) {}

BartInstances::Instances BartInstances::MakeInstances(int count) const {
  const auto rows = static_cast<size_t>(max_tokens_);
  Instances instances;
  for (int i = 0; i < count; ++i) {
    const TeamConfig team =
        InstanceTeam(i, count, threads_per_instance_, cores_);
    instances.push_back(std::make_shared<BartInstance>(
        BartWorkspace(*model_, rows, team), BartCache(*model_, {rows, rows}),
        std::nullopt));
    if (!team.cores.empty()) instances.back()->core = team.cores.front();
  }
  return instances;
}

void BartInstances::SetInstances(Instances instances) {
  const MutexLock lock(&mutex_);
  instances_.swap(instances);
}

std::shared_ptr<BartInstance> BartInstances::InstanceOf(int index) const {
  const MutexLock lock(&mutex_);
  return instances_[static_cast<size_t>(index)];
}

absl::Status BartInstances::Run(
    const CallOptions& options, CallTimes* times,
    const std::function<absl::Status(BartInstance&)>& body) {
  Stopwatch stopwatch;
  ASSIGN_OR_RETURN(const auto lease, pool_.Acquire(options.deadline_us));
  if (times != nullptr) times->queue_us += stopwatch.LapUs();
  RETURN_IF_ERROR(CheckWanted(options, Clock::Real().NowUs()));
  const std::shared_ptr<BartInstance> instance = InstanceOf(lease.index());
  const CoreLease core;  // for all that `body` computes
  std::optional<ScopedPin> pin;
  if (instance->core) pin.emplace(*instance->core);
  const absl::Status status = body(*instance);
  if (times != nullptr) times->compute_us += stopwatch.LapUs();
  return status;
}

absl::Status BartInstances::Resize(int num_instances) {
  if (num_instances < 0) {
    return absl::InvalidArgumentError("the number of instances is negative");
  }
  const MutexLock resizing(&resizing_);
  const int wanted = NumInstances(num_instances, threads_per_instance_);
  Instances instances = MakeInstances(wanted);
  if (wanted < pool_.num_instances()) pool_.Resize(wanted);
  SetInstances(std::move(instances));
  pool_.Resize(wanted);
  return absl::OkStatus();
}

}  // namespace quaver
