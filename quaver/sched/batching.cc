// See batching.h.
#include "quaver/sched/batching.h"

#include <algorithm>

namespace quaver {
namespace {

constexpr std::array<std::string_view, kNumCloseReasons> kCloseReasons = {
    "full",     "preferred_size", "token_budget", "delay",
    "adaptive", "deadline",       "shutdown",     "other_kind"};

absl::Status Invalid(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("dynamic_batching: {}", what));
}

absl::Status CheckPolicy(const QueuePolicy& policy, bool preserve_ordering) {
  if (policy.default_timeout_us < 0 || policy.max_queue_size < 0) {
    return Invalid("a queue policy has a negative timeout or size");
  }
  if (preserve_ordering &&
      policy.timeout_action == QueuePolicy::TimeoutAction::kDelay) {
    return Invalid("timeout_action DELAY does not preserve the ordering");
  }
  return absl::OkStatus();
}

absl::Status CheckPriorities(const DynamicBatching& batching) {
  const int levels = batching.priority_levels;
  if (levels < 0 || levels > kMaxPriorityLevels) {
    return Invalid(fmt::format("priority_levels is {}; it has to be 0 to {}",
                               levels, kMaxPriorityLevels));
  }
  const int level = batching.default_priority_level;
  if (levels == 0 ? level != 0 : level < 1 || level > levels) {
    return Invalid(fmt::format(
        "default_priority_level is {} of {} priority_levels", level, levels));
  }
  if (batching.preserve_ordering && levels > 1) {
    return Invalid("several priority_levels do not preserve the ordering");
  }
  for (const auto& [of, policy] : batching.priority_queue_policies) {
    if (of < 1 || of > levels) {
      return Invalid(fmt::format(
          "there is a queue policy for level {} of {} priority_levels", of,
          levels));
    }
    RETURN_IF_ERROR(CheckPolicy(policy, batching.preserve_ordering));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckBatcherConfig(const BatcherConfig& config) {
  const DynamicBatching& batching = config.batching;
  if (config.num_instances < 0 || config.max_batch_size < 0 ||
      config.max_batch_tokens < 0 || batching.max_queue_delay_us < 0) {
    return Invalid(
        "num_instances, max_batch_size, max_batch_tokens or "
        "max_queue_delay_microseconds is negative");
  }
  for (const int size : batching.preferred_batch_sizes) {
    const int limit = config.max_batch_size;
    if (size < 1 || (limit > 0 && size > limit)) {
      return Invalid(fmt::format(
          "preferred_batch_size {} is not in [1, max_batch_size]", size));
    }
  }
  RETURN_IF_ERROR(
      CheckPolicy(batching.default_queue_policy, batching.preserve_ordering));
  return CheckPriorities(batching);
}

std::string_view Name(CloseReason reason) {
  return kCloseReasons[static_cast<size_t>(reason)];
}

}  // namespace quaver
