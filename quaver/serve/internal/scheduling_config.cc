// See scheduling_config.h.
#include "quaver/serve/internal/scheduling_config.h"

#include <algorithm>
#include <limits>

#include "quaver/net/proto/model_config.pb.h"

namespace quaver {
namespace {

constexpr int kMaxInstances = 1024;

// Microseconds and counts that are longer than any program runs.
int64_t Clamped(uint64_t value) {
  return static_cast<int64_t>(
      std::min(value, uint64_t{std::numeric_limits<int64_t>::max() / 4}));
}

absl::StatusOr<std::vector<InstanceGroup>> ReadInstances(
    const std::string& model, const inference::ModelConfig& source) {
  std::vector<InstanceGroup> groups;
  int num_instances = 0;
  for (const inference::ModelInstanceGroup& from : source.instance_group()) {
    InstanceGroup group;
    group.name = from.name().empty()
                     ? fmt::format("{}_{}", model, groups.size())
                     : from.name();
    if (from.kind() == inference::ModelInstanceGroup::KIND_GPU ||
        !from.gpus().empty()) {
      return Unsupported(
          model, fmt::format("instance group {} asks for GPUs, which this "
                             "server does not support",
                             group.name));
    }
    group.count = from.count() == 0 ? 1 : from.count();
    if (group.count < 0 || group.count > kMaxInstances - num_instances) {
      return Invalid(
          model, fmt::format("instance group {} has count {}; together there "
                             "may be 1 to {} instances",
                             group.name, from.count(), kMaxInstances));
    }
    num_instances += group.count;
    group.host_policy = from.host_policy();
    groups.push_back(std::move(group));
  }
  return groups;
}

QueuePolicy ReadQueuePolicy(const inference::ModelQueuePolicy& source) {
  QueuePolicy policy;
  if (source.timeout_action() == inference::ModelQueuePolicy::DELAY) {
    policy.timeout_action = QueuePolicy::TimeoutAction::kDelay;
  }
  policy.default_timeout_us = Clamped(source.default_timeout_microseconds());
  policy.allow_timeout_override = source.allow_timeout_override();
  policy.max_queue_size = ClampedInt(source.max_queue_size());
  return policy;
}

DynamicBatching ReadBatching(const inference::ModelDynamicBatching& source) {
  DynamicBatching batching;
  batching.preferred_batch_sizes.assign(source.preferred_batch_size().begin(),
                                        source.preferred_batch_size().end());
  batching.max_queue_delay_us = Clamped(source.max_queue_delay_microseconds());
  batching.preserve_ordering = source.preserve_ordering();
  batching.priority_levels = ClampedInt(source.priority_levels());
  batching.default_priority_level = ClampedInt(source.default_priority_level());
  // Without one, queues are bounded all the same.
  if (source.has_default_queue_policy()) {
    batching.default_queue_policy =
        ReadQueuePolicy(source.default_queue_policy());
  }
  for (const auto& [level, policy] : source.priority_queue_policy()) {
    batching.priority_queue_policies[ClampedInt(level)] =
        ReadQueuePolicy(policy);
  }
  return batching;
}

absl::StatusOr<EnsembleScheduling> ReadEnsemble(
    const std::string& model, const inference::ModelEnsembling& source) {
  EnsembleScheduling ensemble;
  ensemble.max_inflight_requests = ClampedInt(source.max_inflight_requests());
  if (source.step().empty()) {
    return Invalid(model, "ensemble_scheduling must have a step");
  }
  for (const inference::ModelEnsembling::Step& from : source.step()) {
    EnsembleStep step;
    step.model = from.model_name();
    if (step.model.empty()) {
      return Invalid(model,
                     "a step of ensemble_scheduling must specify "
                     "'model_name'");
    }
    step.version = from.model_version() > 0 ? from.model_version() : -1;
    step.input_map.insert(from.input_map().begin(), from.input_map().end());
    step.output_map.insert(from.output_map().begin(), from.output_map().end());
    ensemble.steps.push_back(std::move(step));
  }
  return ensemble;
}

}  // namespace

absl::Status Invalid(const std::string& model, std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("model '{}': {}", model, what));
}

absl::Status Unsupported(const std::string& model, std::string_view what) {
  return absl::UnimplementedError(fmt::format("model '{}': {}", model, what));
}

int ClampedInt(uint64_t value) {
  return static_cast<int>(
      std::min(value, uint64_t{std::numeric_limits<int>::max()}));
}

std::vector<std::string> FieldsOfABatcher(const DynamicBatching& batching) {
  const QueuePolicy& policy = batching.default_queue_policy;
  std::vector<std::string> fields;
  const auto add = [&](bool is_set, const char* field) {
    if (is_set) fields.emplace_back(field);
  };
  add(!batching.preferred_batch_sizes.empty(), "preferred_batch_size");
  add(batching.max_queue_delay_us > 0, "max_queue_delay_microseconds");
  add(batching.adaptive, "adaptive_batching");
  add(batching.preserve_ordering, "preserve_ordering");
  add(batching.priority_levels > 0, "priority_levels");
  add(policy.timeout_action == QueuePolicy::TimeoutAction::kDelay,
      "timeout_action");
  add(policy.default_timeout_us > 0, "default_timeout_microseconds");
  return fields;
}

absl::Status ReadScheduling(const inference::ModelConfig& source,
                            ModelConfig& config) {
  ASSIGN_OR_RETURN(config.instance_groups, ReadInstances(config.name, source));
  if (source.has_sequence_batching()) {
    return Unsupported(config.name, "sequence_batching is not supported");
  }
  if (source.model_transaction_policy().decoupled()) {
    return Unsupported(config.name, "decoupled answers are not supported");
  }
  if (source.has_dynamic_batching()) {
    const inference::ModelDynamicBatching& from = source.dynamic_batching();
    config.dynamic_batching = ReadBatching(from);
    config.has_queue_policy = from.has_default_queue_policy() ||
                              !from.priority_queue_policy().empty();
  }
  const bool is_ensemble = source.platform() == "ensemble";
  if (is_ensemble != source.has_ensemble_scheduling()) {
    return Invalid(config.name,
                   is_ensemble
                       ? "ensemble_scheduling must be set for an ensemble"
                       : "ensemble_scheduling needs platform: \"ensemble\"");
  }
  if (!is_ensemble) return absl::OkStatus();
  if (!source.instance_group().empty()) {
    return Invalid(config.name, "an ensemble has no instance_group");
  }
  if (source.input().empty() || source.output().empty()) {
    return Invalid(config.name, "an ensemble must specify input and output");
  }
  ASSIGN_OR_RETURN(config.ensemble,
                   ReadEnsemble(config.name, source.ensemble_scheduling()));
  return absl::OkStatus();
}

}  // namespace quaver
