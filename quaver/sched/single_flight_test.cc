// Tests of single flight: who computes, who follows, who leaves, who takes
// over.
#include "quaver/sched/single_flight.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/sched/servable_fixture.h"

namespace quaver {
namespace {

using testing::ElementsAre;

Tensors Ask(int value) { return {Numbers("X", {1}, {value})}; }

// X -> X behind a gate; late and cancelled calls are refused after it, negative
// numbers as well.
class SingleFlightTest : public testing::Test {
 protected:
  ~SingleFlightTest() override {
    gate_.Set(true);
    Join();
  }

  absl::StatusOr<Tensors> Compute(const Tensors& request,
                                  const CallOptions& options) {
    ++num_computed_;
    gate_.Pass();
    RETURN_IF_ERROR(CheckWanted(options, clock_.NowUs()));
    if (ValuesOf(request[0])[0] < 0) return absl::InternalError("below 0");
    return request;
  }

  struct Answer {
    absl::StatusOr<Tensors> tensors = absl::UnknownError("none yet");
    CallTimes times;
    std::atomic<bool> done = false;
  };

  void Call(Answer& answer, int value, CallOptions options = {}) {
    threads_.emplace_back([&answer, value, options, this] {
      answer.tensors = model_.Infer(Ask(value), options, &answer.times);
      answer.done = true;
    });
  }
  // The call is being computed, up to the gate.
  void Lead(Answer& answer, int value, CallOptions options = {}) {
    gate_.Set(false);
    const int before = gate_.num_waiting();
    Call(answer, value, options);
    AwaitThat([&] { return gate_.num_waiting() == before + 1; });
  }
  void Follow(Answer& answer, int value, CallOptions options = {}) {
    const int before = model_.num_following();
    Call(answer, value, options);
    AwaitThat([&] { return model_.num_following() == before + 1; });
  }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  void LetGo() {
    gate_.Set(true);
    Join();
  }
  FlightStatistics Counts() const { return *model_.counts().flights; }

  FakeClock clock_;
  Gate gate_;
  std::atomic<int> num_computed_ = 0;
  SingleFlightServable model_{
      std::make_shared<FunctionServable>(
          std::vector<TensorSpec>{}, std::vector<TensorSpec>{},
          [this](const Tensors& request, const CallOptions& options,
                 CallTimes*) { return Compute(request, options); }),
      clock_};
  std::vector<std::thread> threads_;
};

// A model that asks for itself with what it was asked, once.
TEST(NestedSingleFlightTest, ACallFromWithinDoesNotFollowItself) {
  Servable* self = nullptr;
  const auto inner = std::make_shared<FunctionServable>(
      std::vector<TensorSpec>(), std::vector<TensorSpec>(),
      [&](const Tensors& request, const CallOptions& options,
          CallTimes*) -> absl::StatusOr<Tensors> {
        if (options.depth > 0) return request;
        CallOptions nested = options;
        ++nested.depth;
        return self->Infer(request, nested, nullptr);
      });
  SingleFlightServable model(inner);
  self = &model;
  const auto answer = model.Infer(Ask(3));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_THAT(ValuesOf((*answer)[0]), ElementsAre(3));
}

TEST_F(SingleFlightTest, ComputesOnceForAllThatAskAtOnce) {
  Answer leader;
  Answer followers[3];
  Lead(leader, 5);
  for (Answer& follower : followers) Follow(follower, 5);
  clock_.AdvanceUs(700);
  LetGo();
  EXPECT_THAT(ValuesOf(leader.tensors->at(0)), ElementsAre(5));
  EXPECT_EQ(leader.times.queue_us, 0);
  EXPECT_FALSE(leader.times.from_cache);
  for (const Answer& follower : followers) {
    ASSERT_TRUE(follower.tensors.ok());
    EXPECT_THAT(ValuesOf(follower.tensors->at(0)), ElementsAre(5));
    EXPECT_EQ(follower.times.queue_us, 700);
    EXPECT_TRUE(follower.times.from_cache);
  }
  EXPECT_EQ(num_computed_, 1);
  EXPECT_EQ(Counts().num_computed, 1u);
  EXPECT_EQ(Counts().num_shared, 3u);
  Answer later;
  Call(later, 5);
  Join();
  EXPECT_EQ(num_computed_, 2);  // nothing is kept
}

TEST_F(SingleFlightTest, OtherRequestsFlyAlone) {
  Answer one, two, urgent, with_parameters;
  Lead(one, 1);
  Lead(two, 2);
  Lead(urgent, 1, {.priority = 1});
  Lead(with_parameters, 1, {.parameters = "{}"});
  LetGo();
  EXPECT_EQ(num_computed_, 4);
  EXPECT_EQ(Counts().num_shared, 0u);
}

TEST_F(SingleFlightTest, AnErrorIsEveryones) {
  Answer leader, follower;
  Lead(leader, -1);
  Follow(follower, -1);
  LetGo();
  EXPECT_EQ(Message(leader.tensors.status()), "below 0");
  EXPECT_EQ(Message(follower.tensors.status()), "below 0");
  EXPECT_EQ(num_computed_, 1);
}

TEST_F(SingleFlightTest, ALateFollowerLeavesAlone) {
  Answer leader, hasty, patient;
  Lead(leader, 5);
  std::atomic<bool> never = false;  // has it look at the clock
  Follow(hasty, 5, {.deadline_us = 1000, .cancelled = &never});
  Follow(patient, 5, {.deadline_us = 1001});
  clock_.AdvanceUs(1000);
  AwaitThat([&] { return hasty.done.load(); });
  EXPECT_TRUE(absl::IsDeadlineExceeded(hasty.tensors.status()));
  EXPECT_EQ(model_.num_following(), 1);
  LetGo();
  EXPECT_TRUE(leader.tensors.ok());
  EXPECT_TRUE(patient.tensors.ok());
  EXPECT_EQ(num_computed_, 1);
}

TEST_F(SingleFlightTest, ACancelledFollowerLeavesAlone) {
  Answer leader, gone, other;
  std::atomic<bool> cancelled = false;
  Lead(leader, 5);
  Follow(gone, 5, {.cancelled = &cancelled});
  Follow(other, 5);
  cancelled = true;
  AwaitThat([&] { return gone.done.load(); });
  EXPECT_TRUE(absl::IsCancelled(gone.tensors.status()));
  LetGo();
  EXPECT_TRUE(leader.tensors.ok());
  EXPECT_TRUE(other.tensors.ok());
  EXPECT_EQ(Counts().num_shared, 1u);
}

TEST_F(SingleFlightTest, WhenTheLeaderIsCancelledTheNextTakesOver) {
  Answer leader, second, third;
  std::atomic<bool> cancelled = false;
  Lead(leader, 5, {.cancelled = &cancelled});
  Follow(second, 5);
  Follow(third, 5);
  cancelled = true;
  LetGo();
  EXPECT_TRUE(absl::IsCancelled(leader.tensors.status()));
  ASSERT_TRUE(second.tensors.ok()) << second.tensors.status();
  ASSERT_TRUE(third.tensors.ok()) << third.tensors.status();
  EXPECT_EQ(num_computed_, 2);
  EXPECT_EQ(Counts().num_takeovers, 1u);
  EXPECT_EQ(Counts().num_computed, 2u);
}

TEST_F(SingleFlightTest, WhenTheLeaderIsLateTheNextTakesOver) {
  Answer leader, follower;
  Lead(leader, 5, {.deadline_us = 100});
  Follow(follower, 5);
  clock_.AdvanceUs(100);
  LetGo();
  EXPECT_TRUE(absl::IsDeadlineExceeded(leader.tensors.status()));
  EXPECT_TRUE(follower.tensors.ok());
}

TEST_F(SingleFlightTest, ALeaderThatIsCancelledWithNobodyBehindEnds) {
  Answer leader;
  std::atomic<bool> cancelled = false;
  Lead(leader, 5, {.cancelled = &cancelled});
  cancelled = true;
  LetGo();
  EXPECT_TRUE(absl::IsCancelled(leader.tensors.status()));
  EXPECT_EQ(Counts().num_takeovers, 0u);
  EXPECT_TRUE(model_.Infer(Ask(5)).ok());
}

TEST_F(SingleFlightTest, RefusesWhatNobodyWants) {
  const std::atomic<bool> cancelled = true;
  EXPECT_TRUE(absl::IsCancelled(
      model_.Infer(Ask(1), {.cancelled = &cancelled}, nullptr).status()));
  EXPECT_EQ(num_computed_, 0);
}

TEST_F(SingleFlightTest, AMobOfCallersIsAnsweredOnceEach) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 300;
  std::atomic<int> wrong = 0;
  std::atomic<uint64_t> refused = 0;
  std::atomic<bool> cancelled = false;
  for (int i = 0; i < kThreads; ++i) {
    threads_.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        if (i == 0) cancelled = round % 2 == 0;
        const int value = round % 3;
        CallOptions options;
        if (i % 2 == 1) options.cancelled = &cancelled;
        const auto answer = model_.Infer(Ask(value), options, nullptr);
        if (answer.ok()) {
          if (ValuesOf(answer->at(0))[0] != value) ++wrong;
        } else if (!absl::IsCancelled(answer.status()) || i % 2 == 0) {
          ++wrong;
        } else {
          ++refused;
        }
      }
    });
  }
  Join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(model_.num_following(), 0);
  // A refused one may have been a leader's or a call that never entered.
  EXPECT_LE(Counts().num_computed + Counts().num_shared,
            static_cast<uint64_t>(kThreads * kRounds));
  EXPECT_GE(Counts().num_computed + Counts().num_shared + refused,
            static_cast<uint64_t>(kThreads * kRounds));
}

}  // namespace
}  // namespace quaver
