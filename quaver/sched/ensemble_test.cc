// Tests of ensembles: what is refused when they are made, and how steps run.
#include "quaver/sched/ensemble.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/sched/servable_fixture.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Map = std::map<std::string, std::string>;

TensorSpec Int(const std::string& name, std::vector<int64_t> shape = {-1},
               bool optional = false) {
  return {name, Datatype::kInt32, std::move(shape), optional};
}

class EnsembleTest : public testing::Test {
 protected:
  // A member "name": the sum of its inputs' values and `more` to each output.
  void AddModel(const std::string& name, std::vector<TensorSpec> inputs,
                std::vector<TensorSpec> outputs, int more,
                std::function<absl::Status(const CallOptions&)> before = {}) {
    const auto compute = [this, name, outputs, more, before](
                             const Tensors& request, const CallOptions& options,
                             CallTimes* times) -> absl::StatusOr<Tensors> {
      {
        const MutexLock lock(&mutex_);
        order_.push_back(name);
        addresses_[name] = request.empty() ? nullptr : request[0].raw.data();
        num_inputs_[name] = request.size();
      }
      if (before) RETURN_IF_ERROR(before(options));
      int sum = more;
      for (const Tensor& tensor : request) {
        for (const int32_t value : ValuesOf(tensor)) sum += value;
      }
      Tensors answer;
      for (const TensorSpec& output : outputs) {
        std::vector<int64_t> shape(output.shape.size(), 1);
        answer.push_back(Numbers(output.name, shape, {sum}));
        const MutexLock lock(&mutex_);
        addresses_[name + "." + output.name] = answer.back().raw.data();
      }
      times->queue_us += 10;
      times->compute_us += 100;
      return answer;
    };
    models_[name] =
        std::make_shared<FunctionServable>(inputs, outputs, compute);
  }

  absl::StatusOr<std::unique_ptr<EnsembleServable>> TryMake(
      const EnsembleConfig& config) {
    return EnsembleServable::Create(
        config,
        [this](const std::string& name,
               int64_t version) -> absl::StatusOr<std::shared_ptr<Servable>> {
          const MutexLock lock(&mutex_);
          versions_.push_back(version);
          const auto found = models_.find(name);
          if (found != models_.end()) return found->second;
          return absl::NotFoundError("no model " + name);
        },
        clock_);
  }
  void Make(const EnsembleConfig& config) {
    auto made = TryMake(config);
    ASSERT_TRUE(made.ok()) << made.status();
    ensemble_ = *std::move(made);
  }
  std::string Refusal(const EnsembleConfig& config) {
    const absl::Status status = TryMake(config).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return Message(status);
  }

  // IN -> a -> mid -> b -> OUT: IN + 11.
  EnsembleConfig Chain() {
    AddModel("a", {Int("X")}, {Int("Y")}, 1);
    AddModel("b", {Int("X")}, {Int("Y")}, 10);
    return {.name = "e",
            .inputs = {Int("IN")},
            .outputs = {Int("OUT")},
            .steps = {{"b", 3, {{"X", "mid"}}, {{"Y", "OUT"}}},
                      {"a", -1, {{"X", "IN"}}, {{"Y", "mid"}}}}};
  }
  // IN -> left, right -> join -> OUT: 2 IN + 3.
  EnsembleConfig Diamond(
      std::function<absl::Status(const CallOptions&)> before = {}) {
    AddModel("left", {Int("X")}, {Int("Y")}, 1, before);
    AddModel("right", {Int("X")}, {Int("Y")}, 2, before);
    AddModel("join", {Int("A"), Int("B")}, {Int("Y")}, 0);
    return {.name = "e",
            .inputs = {Int("IN")},
            .outputs = {Int("OUT")},
            .steps = {{"left", -1, {{"X", "IN"}}, {{"Y", "l"}}},
                      {"right", -1, {{"X", "IN"}}, {{"Y", "r"}}},
                      {"join", -1, {{"A", "l"}, {"B", "r"}}, {{"Y", "OUT"}}}}};
  }

  int Ask(int value) {
    const auto answer = ensemble_->Infer({Numbers("IN", {1}, {value})});
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? ValuesOf(answer->at(0))[0] : -1;
  }

  FakeClock clock_;
  Mutex mutex_;  // guards what follows, models_ while calls run
  std::map<std::string, std::shared_ptr<Servable>> models_;
  std::vector<int64_t> versions_;
  std::vector<std::string> order_;
  std::map<std::string, const std::byte*> addresses_;
  std::map<std::string, size_t> num_inputs_;
  std::unique_ptr<EnsembleServable> ensemble_;
};

TEST_F(EnsembleTest, RunsStepsWhenTheirInputsAreThere) {
  Make(Chain());
  EXPECT_EQ(Ask(5), 16);
  EXPECT_THAT(order_, ElementsAre("a", "b"));
  EXPECT_THAT(versions_, ElementsAre(3, -1, 3, -1));  // made, asked
  EXPECT_EQ(ensemble_->inputs()[0].name, "IN");
  EXPECT_EQ(ensemble_->outputs()[0].name, "OUT");
}

TEST_F(EnsembleTest, AnswersUnderItsOwnNamesInItsOrder) {
  EnsembleConfig config = Chain();
  AddModel("a", {Int("X")}, {Int("Y"), Int("Z")}, 1);
  config.steps[1].output_map["Z"] = "EXTRA";
  config.outputs = {Int("EXTRA"), Int("OUT")};
  Make(config);
  const auto answer = ensemble_->Infer({Numbers("IN", {1}, {5})});
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->size(), 2u);
  EXPECT_EQ(answer->at(0).name, "EXTRA");
  EXPECT_THAT(ValuesOf(answer->at(0)), ElementsAre(6));
  EXPECT_EQ(answer->at(1).name, "OUT");
  EXPECT_THAT(ValuesOf(answer->at(1)), ElementsAre(16));
}

TEST_F(EnsembleTest, MovesToTheLastTakerAndCopiesToOthers) {
  Make(Chain());
  Ask(5);
  EXPECT_EQ(addresses_["b"], addresses_["a.Y"]);  // the same memory
  EnsembleConfig config = Chain();
  config.outputs.push_back(Int("mid"));  // somebody else wants it, too
  Make(config);
  Ask(5);
  EXPECT_NE(addresses_["b"], addresses_["a.Y"]);
}

TEST_F(EnsembleTest, IndependentStepsRunSideBySide) {
  std::atomic<int> inside = 0;
  EnsembleConfig config = Diamond([&](const CallOptions&) {
    ++inside;
    AwaitThat([&] { return inside >= 2; });  // for ever, one by one
    return absl::OkStatus();
  });
  config.num_threads = 1;
  Make(config);
  EXPECT_EQ(Ask(5), 13);
}

TEST_F(EnsembleTest, ACallNeedsNoFreeThread) {
  Gate gate;
  std::atomic<bool> blocks = true;
  EnsembleConfig config = Diamond([&](const CallOptions&) {
    if (blocks) gate.Pass();
    return absl::OkStatus();
  });
  config.num_threads = 1;
  Make(config);
  gate.Set(false);
  std::thread blocked([&] { EXPECT_EQ(Ask(1), 5); });
  AwaitThat([&] { return gate.num_waiting() == 2; });  // the thread as well
  blocks = false;
  EXPECT_EQ(Ask(5), 13);
  gate.Set(true);
  blocked.join();
}

TEST_F(EnsembleTest, TimesAreThoseOfTheLongestChain) {
  Make(Diamond());
  CallTimes times;
  ASSERT_TRUE(ensemble_->Infer({Numbers("IN", {1}, {5})}, {}, &times).ok());
  EXPECT_EQ(times.queue_us, 20);  // of two steps, not three
  EXPECT_EQ(times.compute_us, 200);
  const auto steps = ensemble_->counts().ensemble;
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[2].model, "join");
  EXPECT_EQ(steps[2].num_succeeded, 1u);
  EXPECT_EQ(steps[2].times.compute_us, 100);
}

TEST_F(EnsembleTest, AnErrorNamesItsStepAndEndsTheCall) {
  EnsembleConfig config = Chain();
  AddModel("a", {Int("X")}, {Int("Y")}, 1, [](const CallOptions&) {
    return absl::ResourceExhaustedError("full");
  });
  Make(config);
  const auto answer = ensemble_->Infer({Numbers("IN", {1}, {5})});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Message(answer.status()), "ensemble 'e', step 2 ('a'): full");
  EXPECT_THAT(order_, ElementsAre("a"));
  EXPECT_EQ(ensemble_->counts().ensemble[1].num_failed, 1u);
  EXPECT_EQ(ensemble_->counts().ensemble[0].num_failed, 0u);
}

TEST_F(EnsembleTest, AllStepsHaveOneDeadlineAndOneCancellation) {
  EnsembleConfig config = Chain();
  std::atomic<bool> cancelled = false;
  CallOptions seen;
  AddModel("a", {Int("X")}, {Int("Y")}, 1, [&](const CallOptions& options) {
    seen = options;
    cancelled = true;
    return absl::OkStatus();
  });
  Make(config);
  const Tensors request = {Numbers("IN", {1}, {5})};
  const std::vector<std::string> wanted = {"OUT"};
  const CallOptions options = {.priority = 2,
                               .deadline_us = 50,
                               .cancelled = &cancelled,
                               .outputs = wanted};
  auto answer = ensemble_->Infer(request, options, nullptr);
  EXPECT_TRUE(absl::IsCancelled(answer.status())) << answer.status();
  EXPECT_EQ(seen.deadline_us, 50);
  EXPECT_EQ(seen.priority, 2);
  EXPECT_TRUE(seen.outputs.empty());      // the member's have other names
  EXPECT_THAT(order_, ElementsAre("a"));  // b was not asked any more
  AddModel("a", {Int("X")}, {Int("Y")}, 1, [&](const CallOptions&) {
    clock_.AdvanceUs(50);
    return absl::OkStatus();
  });
  answer = ensemble_->Infer(request, {.deadline_us = 50}, nullptr);
  EXPECT_TRUE(absl::IsDeadlineExceeded(answer.status()));
  EXPECT_THAT(Message(answer.status()), HasSubstr("step 1 ('b')"));
  answer = ensemble_->Infer(request, {.deadline_us = 50}, nullptr);
  EXPECT_EQ(Message(answer.status()), "Request timeout expired");
  EXPECT_THAT(order_, ElementsAre("a", "a"));
}

TEST_F(EnsembleTest, ACallKeepsTheMembersThatItBeganWith) {
  EnsembleConfig config = Chain();
  Gate gate;
  AddModel("a", {Int("X")}, {Int("Y")}, 1, [&](const CallOptions&) {
    gate.Pass();
    return absl::OkStatus();
  });
  Make(config);
  gate.Set(false);
  std::thread first([&] { EXPECT_EQ(Ask(5), 16); });
  AwaitThat([&] { return gate.num_waiting() == 1; });
  AddModel("a", {Int("X")}, {Int("Y")}, 2);
  AddModel("b", {Int("X")}, {Int("Y")}, 100);
  EXPECT_EQ(Ask(5), 107);
  gate.Set(true);
  first.join();
  models_.erase("b");
  EXPECT_THAT(Message(ensemble_->Infer({Numbers("IN", {1}, {5})}).status()),
              HasSubstr("step 1 ('b'): no model b"));
}

TEST_F(EnsembleTest, StepsWaitForAPlace) {
  EnsembleConfig config = Chain();
  Gate gate;
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  AddModel("b", {Int("X")}, {Int("Y")}, 10, [&](const CallOptions&) {
    most = std::max(most.load(), ++inside);
    gate.Pass();
    --inside;
    return absl::OkStatus();
  });
  config.max_inflight_requests = 1;
  Make(config);
  gate.Set(false);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] { EXPECT_EQ(Ask(i), i + 11); });
  }
  AwaitThat([&] {
    const MutexLock lock(&mutex_);
    return std::count(order_.begin(), order_.end(), "a") == 4;
  });
  gate.Set(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
}

TEST_F(EnsembleTest, AWaitForAPlaceEndsAtTheDeadline) {
  EnsembleConfig config = Chain();
  Gate gate;
  AddModel("a", {Int("X")}, {Int("Y")}, 1, [&](const CallOptions&) {
    gate.Pass();
    return absl::OkStatus();
  });
  config.max_inflight_requests = 1;
  Make(config);
  gate.Set(false);
  std::thread first([&] { Ask(1); });
  AwaitThat([&] { return gate.num_waiting() == 1; });
  absl::Status status;
  std::thread second([&] {
    status =
        ensemble_->Infer({Numbers("IN", {1}, {1})}, {.deadline_us = 1}, nullptr)
            .status();
  });
  second.join();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  gate.Set(true);
  first.join();
}

TEST_F(EnsembleTest, OptionalInputsAreLeftOutOrPassedOn) {
  EnsembleConfig config = Chain();
  AddModel("b", {Int("X"), Int("MORE", {-1}, true)}, {Int("Y")}, 10);
  config.inputs.push_back(Int("EXTRA", {-1}, true));
  config.steps[0].input_map["MORE"] = "EXTRA";
  Make(config);
  EXPECT_EQ(Ask(5), 16);
  EXPECT_EQ(num_inputs_["b"], 1u);
  const auto answer =
      ensemble_->Infer({Numbers("IN", {1}, {5}), Numbers("EXTRA", {1}, {100})});
  ASSERT_TRUE(answer.ok());
  EXPECT_THAT(ValuesOf(answer->at(0)), ElementsAre(116));
}

TEST_F(EnsembleTest, ATrailingDimensionOfOneComesAndGoes) {
  EnsembleConfig config = Chain();
  AddModel("a", {Int("X", {-1})}, {Int("Y", {-1})}, 1);
  AddModel("b", {Int("X", {-1, 1})}, {Int("Y", {-1})}, 10);
  config.inputs = {Int("IN", {-1, 1})};
  config.outputs = {Int("OUT", {-1, 1})};
  Make(config);
  const auto answer = ensemble_->Infer({Numbers("IN", {1, 1}, {5})});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_THAT(answer->at(0).shape, ElementsAre(1, 1));
}

TEST_F(EnsembleTest, RefusesBadRequests) {
  Make(Chain());
  const auto refusal = [&](const Tensors& request) {
    const absl::Status status = ensemble_->Infer(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return Message(status);
  };
  const Tensor in = Numbers("IN", {1}, {1});
  EXPECT_THAT(refusal({}), HasSubstr("no input 'IN'"));
  EXPECT_THAT(refusal({in, in}), HasSubstr("input 'IN' is there twice"));
  EXPECT_THAT(refusal({in, Numbers("mid", {1}, {1})}), HasSubstr("'mid'"));
  EXPECT_THAT(refusal({Texts("IN", {1}, {"a"})}), HasSubstr("datatype"));
  EXPECT_TRUE(order_.empty());
}

TEST_F(EnsembleTest, AMemberMustGiveItsOutputs) {
  EnsembleConfig config = Chain();
  Make(config);
  AddModel("a", {Int("X")}, {Int("OTHER")}, 1);  // loaded anew
  const auto answer = ensemble_->Infer({Numbers("IN", {1}, {5})});
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(Message(answer.status()),
            "ensemble 'e', step 2 ('a'): the model gave no output 'Y'");
}

TEST_F(EnsembleTest, IsCheckedWhenItIsMade) {
  EnsembleConfig config = Chain();
  config.steps[0].input_map = Map{{"X", "dim"}};
  EXPECT_THAT(Refusal(config), HasSubstr("step 1 ('b'): input 'X' takes tensor "
                                         "'dim', which nothing makes"));
  config = Chain();
  config.max_inflight_requests = -1;
  EXPECT_THAT(Refusal(config), HasSubstr("negative"));
  config = Chain();
  config.steps[0].model = "c";
  const absl::Status status = TryMake(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(status), HasSubstr("step 1 ('c'): no model c"));
}

TEST_F(EnsembleTest, ServesManyCallersAtOnce) {
  EnsembleConfig config = Diamond();
  config.num_threads = 2;
  config.max_inflight_requests = 2;
  Make(config);
  constexpr int kThreads = 6;
  constexpr int kRounds = 100;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        EXPECT_EQ(Ask(100 * i + round), 2 * (100 * i + round) + 3);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const EnsembleStepStatistics& step : ensemble_->counts().ensemble) {
    EXPECT_EQ(step.num_succeeded, static_cast<uint64_t>(kThreads * kRounds));
  }
}

}  // namespace
}  // namespace quaver
