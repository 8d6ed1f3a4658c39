// Tests of the batcher's configuration.
#include "quaver/sched/batching.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

using testing::HasSubstr;

TEST(CheckBatcherConfigTest, NamesTheField) {
  const auto message = [](const BatcherConfig& config) {
    const absl::Status status = CheckBatcherConfig(config);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return Message(status);
  };
  EXPECT_TRUE(CheckBatcherConfig({}).ok());
  EXPECT_THAT(message({.num_instances = -1}), HasSubstr("num_instances"));
  EXPECT_THAT(message({.batching = {.max_queue_delay_us = -1}}),
              HasSubstr("max_queue_delay_microseconds"));
  EXPECT_THAT(message({.max_batch_size = 4,
                       .batching = {.preferred_batch_sizes = {2, 5}}}),
              HasSubstr("preferred_batch_size 5"));
  EXPECT_THAT(message({.batching = {.preferred_batch_sizes = {0}}}),
              HasSubstr("preferred_batch_size 0"));
  EXPECT_THAT(message({.batching = {.priority_levels = 257}}),
              HasSubstr("priority_levels is 257"));
  EXPECT_THAT(message({.batching = {.priority_levels = 2}}),
              HasSubstr("default_priority_level is 0 of 2"));
  EXPECT_THAT(message({.batching = {.default_priority_level = 1}}),
              HasSubstr("default_priority_level is 1 of 0"));
  EXPECT_THAT(message({.batching = {.preserve_ordering = true,
                                    .priority_levels = 2,
                                    .default_priority_level = 1}}),
              HasSubstr("do not preserve the ordering"));
  DynamicBatching batching;
  batching.priority_queue_policies[1] = {};
  EXPECT_THAT(message({.batching = batching}), HasSubstr("level 1 of 0"));
  batching = {};
  batching.default_queue_policy.default_timeout_us = -1;
  EXPECT_THAT(message({.batching = batching}), HasSubstr("negative timeout"));
  batching = {.preserve_ordering = true};
  batching.default_queue_policy.timeout_action =
      QueuePolicy::TimeoutAction::kDelay;
  EXPECT_THAT(message({.batching = batching}), HasSubstr("DELAY"));
}

TEST(CloseReasonTest, HasNames) {
  EXPECT_EQ(Name(CloseReason::kFull), "full");
  EXPECT_EQ(Name(CloseReason::kTokenBudget), "token_budget");
  EXPECT_EQ(Name(CloseReason::kShutdown), "shutdown");
}

}  // namespace
}  // namespace quaver
