// Tests of what a model is told of a request's timeout.
#include "quaver/serve/infer_call.h"

#include <gtest/gtest.h>

namespace quaver {
namespace {

constexpr int64_t kTimeoutUs = 1'000;

// Says what it was told.
class ToldServable : public Servable {
 public:
  std::vector<TensorSpec> inputs() const override { return {}; }
  std::vector<TensorSpec> outputs() const override { return {}; }
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors&, const CallOptions& options,
                                CallTimes*) override {
    ++num_calls;
    told = options;
    return Tensors();
  }
  int num_calls = 0;
  CallOptions told;
};

class InferCallTest : public testing::Test {
 protected:
  // A request with a timeout, that long after it came.
  absl::Status Ask(bool has_queue_policy, const InferCaller& caller,
                   int64_t after_us) {
    ModelConfig config;
    config.name = "m";
    config.has_queue_policy = has_queue_policy;
    KserveModel model(config, servable_, metrics_);
    clock_.AdvanceUs(after_us);
    return RunInfer(
               model, caller,
               [] {
                 InferRequest request;
                 request.timeout_us = kTimeoutUs;
                 return absl::StatusOr<InferRequest>(std::move(request));
               },
               [](const InferRequest&, const Tensors&) {
                 return absl::OkStatus();
               },
               clock_)
        .status();
  }

  Metrics metrics_;
  FakeClock clock_;
  std::shared_ptr<ToldServable> servable_ = std::make_shared<ToldServable>();
};

TEST_F(InferCallTest, WithoutAQueuePolicyATimeoutIsADeadline) {
  const int64_t now_us = clock_.NowUs();
  ASSERT_TRUE(Ask(false, {.received_us = now_us}, 10).ok());
  EXPECT_EQ(servable_->told.deadline_us, now_us + kTimeoutUs);
  EXPECT_EQ(servable_->told.timeout_us, kTimeoutUs);
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      Ask(false, {.received_us = now_us}, kTimeoutUs)));
  EXPECT_EQ(servable_->num_calls, 1);
}

TEST_F(InferCallTest, AQueuePolicyDecidesOnTheTimeout) {
  const int64_t now_us = clock_.NowUs();
  ASSERT_TRUE(Ask(true, {.received_us = now_us}, 2 * kTimeoutUs).ok());
  EXPECT_EQ(servable_->told.deadline_us, kNever);
  EXPECT_EQ(servable_->told.timeout_us, kTimeoutUs);
  // The caller's own deadline is one all the same.
  const InferCaller caller = {.received_us = now_us, .deadline_us = now_us};
  EXPECT_TRUE(absl::IsDeadlineExceeded(Ask(true, caller, 1)));
}

}  // namespace
}  // namespace quaver
