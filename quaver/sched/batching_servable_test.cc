// Tests of batching any servable: what is merged, split, refused, spoilt.
#include "quaver/sched/batching_servable.h"

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

// X INT32[-1, -1] -> SUM INT32[-1]: of each row; Y INT32[-1] is added where it
// is there. Negative numbers are refused.
absl::StatusOr<Tensors> SumRows(const Tensors& request) {
  std::vector<int32_t> sums;
  for (const Tensor& tensor : request) {
    const auto rows = static_cast<size_t>(tensor.shape[0]);
    sums.resize(rows);
    const std::vector<int32_t> values = ValuesOf(tensor);
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] < 0) return absl::InvalidArgumentError("below 0");
      sums[i / (values.size() / rows)] += values[i];
    }
  }
  return Tensors{Numbers("SUM", {static_cast<int64_t>(sums.size())}, sums)};
}

class BatchingServableTest : public testing::Test {
 protected:
  struct Asked {
    Tensors request;
    CallOptions options;
    std::string parameters;
  };

  ~BatchingServableTest() override {
    gate_.Set(true);
    Join();
  }

  void Make(BatchingConfig config, const Clock& clock = Clock::Real()) {
    auto made = BatchingServable::Create(
        config, [this](int instance) { return MakeInstance(instance); }, clock);
    ASSERT_TRUE(made.ok()) << made.status();
    model_ = *std::move(made);
  }

  absl::StatusOr<std::shared_ptr<Servable>> MakeInstance(int instance) {
    if (instance >= max_instances_) return absl::InternalError("no memory");
    ++num_made_;
    return std::make_shared<FunctionServable>(
        std::vector<TensorSpec>{
            {"X", Datatype::kInt32, {-1, -1}},
            {"Y", Datatype::kInt32, {-1}, /*optional=*/true},
            {"COUNTS", Datatype::kInt32, {-1}, /*optional=*/true}},
        std::vector<TensorSpec>{{"SUM", Datatype::kInt32, {-1}}},
        [this](const Tensors& request, const CallOptions& options, CallTimes*) {
          gate_.Pass();
          {
            const MutexLock lock(&mutex_);
            asked_.push_back(
                {request, options, std::string(options.parameters)});
          }
          return compute_(request);
        });
  }

  // Asks in a thread; its answer lies at the same place of `answers_`.
  void Ask(Tensors request, CallOptions options = {}) {
    threads_.emplace_back([this, request = std::move(request), options,
                           &answer = answers_[answers_.size()]] {
      answer = model_->Infer(request, options, nullptr);
    });
  }
  // Asks and returns when the call waits.
  void Queue(Tensors request, CallOptions options = {}) {
    const int before = model_->counts().batcher->num_queued;
    Ask(std::move(request), options);
    AwaitThat(
        [&] { return model_->counts().batcher->num_queued == before + 1; });
  }
  // Keeps the first instance busy.
  void Occupy() {
    gate_.Set(false);
    Ask({Numbers("X", {1, 1}, {0})});
    AwaitThat([&] { return gate_.num_waiting() == 1; });
  }
  void LetGo() {
    gate_.Set(true);
    Join();
  }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  std::vector<int32_t> Sums(size_t call) {
    const absl::StatusOr<Tensors>& answer = answers_.at(call);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? ValuesOf(answer->at(0)) : std::vector<int32_t>{};
  }

  Gate gate_;
  Mutex mutex_;
  std::vector<Asked> asked_;  // guarded by mutex_
  std::function<absl::StatusOr<Tensors>(const Tensors&)> compute_ = SumRows;
  int max_instances_ = 100;
  int num_made_ = 0;
  std::unique_ptr<BatchingServable> model_;
  std::map<size_t, absl::StatusOr<Tensors>> answers_;
  std::vector<std::thread> threads_;
};

BatchingConfig OneInstance(int max_batch_size = 8) {
  return {.batcher = {.num_instances = 1, .max_batch_size = max_batch_size}};
}

TEST_F(BatchingServableTest, MergesRowsAndPartsAnswers) {
  Make(OneInstance());
  Occupy();
  Queue({Numbers("X", {1, 2}, {1, 2})});
  Queue({Numbers("X", {3, 2}, {3, 4, 5, 6, 7, 8})});
  Queue({Numbers("X", {1, 2}, {9, 10})});
  LetGo();
  EXPECT_THAT(Sums(1), ElementsAre(3));
  EXPECT_THAT(Sums(2), ElementsAre(7, 11, 15));
  EXPECT_THAT(Sums(3), ElementsAre(19));
  EXPECT_THAT(answers_[2]->at(0).shape, ElementsAre(3));
  ASSERT_EQ(asked_.size(), 2u);
  EXPECT_THAT(asked_[1].request[0].shape, ElementsAre(5, 2));
  const BatcherStatistics statistics = *model_->counts().batcher;
  EXPECT_EQ(statistics.by_size.at(5).count, 1u);
  EXPECT_EQ(statistics.by_size.at(1).count, 1u);
  EXPECT_EQ(statistics.num_succeeded, 4u);
}

TEST_F(BatchingServableTest, MergesTextsAndSeveralInputsInAnyOrder) {
  compute_ = [](const Tensors& request) -> absl::StatusOr<Tensors> {
    return request;
  };
  Make(OneInstance());
  Occupy();
  Queue({Texts("T", {1, 2}, {"a", "b"}), Numbers("X", {1}, {1})});
  Queue({Numbers("X", {2}, {2, 3}), Texts("T", {2, 2}, {"c", "d", "e", "f"})});
  LetGo();
  ASSERT_EQ(asked_.size(), 2u);
  EXPECT_THAT(asked_[1].request[0].strings,
              ElementsAre("a", "b", "c", "d", "e", "f"));
  const Tensors& second = *answers_[2];
  EXPECT_THAT(second[0].strings, ElementsAre("c", "d", "e", "f"));
  EXPECT_THAT(second[0].shape, ElementsAre(2, 2));
  EXPECT_THAT(ValuesOf(second[1]), ElementsAre(2, 3));
}

TEST_F(BatchingServableTest, OtherKindsMakeBatchesOfTheirOwn) {
  Make(OneInstance());
  Occupy();
  const CallOptions asking = {.parameters = R"({"a":1})"};
  Queue({Numbers("X", {1, 1}, {1})});
  Queue({Numbers("X", {1, 2}, {2, 3})});                       // shape
  Queue({Numbers("X", {1, 1}, {4}), Numbers("Y", {1}, {5})});  // inputs
  Queue({Numbers("X", {1, 1}, {6})}, asking);                  // parameters
  Queue({Numbers("X", {1, 1}, {7})});
  Queue({Numbers("X", {1, 1}, {8})}, asking);
  LetGo();
  for (const size_t call : {1, 2, 3, 4, 5, 6}) {
    EXPECT_THAT(Sums(call),
                ElementsAre(std::vector<int>{0, 1, 5, 9, 6, 7, 8}[call]));
  }
  ASSERT_EQ(asked_.size(), 5u);
  EXPECT_THAT(ValuesOf(asked_[1].request[0]), ElementsAre(1, 7));
  EXPECT_THAT(ValuesOf(asked_[2].request[0]), ElementsAre(2, 3));
  EXPECT_EQ(asked_[3].request.size(), 2u);
  EXPECT_THAT(ValuesOf(asked_[4].request[0]), ElementsAre(6, 8));
  EXPECT_EQ(asked_[4].parameters, R"({"a":1})");
}

TEST_F(BatchingServableTest, ABatchHasTheLatestDeadlineAndNoCancellation) {
  FakeClock clock;
  Make(OneInstance(), clock);
  Occupy();
  std::atomic<bool> cancelled = false;
  Queue({Numbers("X", {1, 1}, {1})},
        {.deadline_us = 1000, .cancelled = &cancelled, .request_id = "one"});
  Queue({Numbers("X", {1, 1}, {2})}, {.deadline_us = 2000});
  LetGo();
  ASSERT_EQ(asked_.size(), 2u);
  EXPECT_EQ(asked_[1].options.deadline_us, 2000);
  EXPECT_EQ(asked_[1].options.cancelled, nullptr);
  EXPECT_EQ(asked_[1].options.request_id, "");
}

TEST_F(BatchingServableTest, ALoneCallIsPassedOnAsItIs) {
  Make(OneInstance());
  std::atomic<bool> cancelled = false;
  CallTimes times;
  const auto answer =
      model_->Infer({Numbers("X", {1, 2}, {1, 2})},
                    {.cancelled = &cancelled, .request_id = "one"}, &times);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_THAT(ValuesOf(answer->at(0)), ElementsAre(3));
  EXPECT_EQ(asked_[0].options.cancelled, &cancelled);
  EXPECT_EQ(asked_[0].options.request_id, "one");
}

TEST_F(BatchingServableTest, ABadCallSpoilsNothingButItself) {
  Make(OneInstance());
  Occupy();
  Queue({Numbers("X", {1, 1}, {1})});
  Queue({Numbers("X", {1, 1}, {-2})});
  Queue({Numbers("X", {1, 1}, {3})});
  LetGo();
  EXPECT_THAT(Sums(1), ElementsAre(1));
  EXPECT_THAT(Sums(3), ElementsAre(3));
  EXPECT_EQ(answers_[2].status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(asked_.size(), 1u + 1u + 3u);
  EXPECT_EQ(model_->counts().batcher->num_failed, 1u);
}

TEST_F(BatchingServableTest, OtherErrorsAreEveryones) {
  Make(OneInstance());
  Occupy();
  compute_ = [](const Tensors&) -> absl::StatusOr<Tensors> {
    return absl::InternalError("broken");
  };
  Queue({Numbers("X", {1, 1}, {1})});
  Queue({Numbers("X", {1, 1}, {2})});
  LetGo();
  EXPECT_EQ(Message(answers_[1].status()), "broken");
  EXPECT_EQ(Message(answers_[2].status()), "broken");
  EXPECT_EQ(asked_.size(), 2u);
}

TEST_F(BatchingServableTest, OutputsMustHaveTheBatchsRows) {
  Make(OneInstance());
  Occupy();
  compute_ = [](const Tensors&) -> absl::StatusOr<Tensors> {
    return Tensors{Numbers("SUM", {1}, {0})};
  };
  Queue({Numbers("X", {1, 1}, {1})});
  Queue({Numbers("X", {1, 1}, {2})});
  LetGo();
  for (const size_t call : {1, 2}) {
    EXPECT_EQ(answers_[call].status().code(), absl::StatusCode::kInternal);
    EXPECT_THAT(Message(answers_[call].status()),
                HasSubstr("output SUM has shape [1]; it was asked for 2 rows"));
  }
}

TEST_F(BatchingServableTest, RefusesWhatHasNoRows) {
  Make(OneInstance(2));
  const absl::Status status = model_->Infer({}).status();
  EXPECT_EQ(Message(status), "the request has no inputs");
  EXPECT_THAT(
      Message(model_->Infer({Numbers("X", {3, 1}, {1, 2, 3})}).status()),
      HasSubstr("3 rows"));
  EXPECT_TRUE(asked_.empty());
}

TEST_F(BatchingServableTest, JoinsRaggedInputsAndSaysWhereTheyEnd) {
  using Kind = BatchInput::Kind;
  const std::map<Kind, std::vector<int32_t>> wanted = {
      {Kind::kElementCount, {2, 3}},
      {Kind::kAccumulatedElementCount, {2, 5}},
      {Kind::kAccumulatedElementCountWithZero, {0, 2, 5}},
      {Kind::kMaxElementCountAsShape, {0, 0, 0}}};
  for (const auto& [kind, counts] : wanted) {
    BatchingConfig config = OneInstance();
    config.ragged = {"X"};
    config.batch_inputs = {{.kind = kind, .name = "COUNTS", .source = "X"}};
    Make(config);
    EXPECT_EQ(model_->inputs().size(), 2u);
    asked_.clear();
    answers_.clear();
    Occupy();
    Queue({Numbers("X", {1, 2}, {1, 2}), Numbers("Y", {1}, {0})});
    Queue({Numbers("X", {1, 3}, {3, 4, 5}), Numbers("Y", {1}, {0})});
    compute_ = [](const Tensors& request) -> absl::StatusOr<Tensors> {
      return Tensors{Numbers("SUM", {2}, ValuesOf(request[1]))};
    };
    LetGo();
    ASSERT_EQ(asked_.size(), 2u);
    const Tensors& merged = asked_[1].request;
    ASSERT_EQ(merged.size(), 3u);
    EXPECT_THAT(merged[0].shape, ElementsAre(5));
    EXPECT_THAT(ValuesOf(merged[0]), ElementsAre(1, 2, 3, 4, 5));
    EXPECT_THAT(merged[1].shape, ElementsAre(2));
    EXPECT_EQ(merged[2].name, "COUNTS");
    EXPECT_EQ(ValuesOf(merged[2]), counts);
    EXPECT_EQ(asked_[0].request.back().name, "COUNTS");  // the lone one as well
    EXPECT_EQ(Message(model_->Infer({Numbers("COUNTS", {1}, {1})}).status()),
              "input COUNTS is made by the server");
  }
}

TEST_F(BatchingServableTest, ChecksItsConfig) {
  const auto refusal = [&](const BatchingConfig& config) {
    const auto made = BatchingServable::Create(
        config, [this](int instance) { return MakeInstance(instance); });
    return Message(made.status());
  };
  BatchingConfig config = OneInstance();
  config.ragged = {"Z"};
  EXPECT_THAT(refusal(config), HasSubstr("no input Z"));
  config.ragged = {};
  config.batch_inputs = {{.name = "COUNTS", .source = "X"}};
  EXPECT_THAT(refusal(config), HasSubstr("its source X is no ragged input"));
  config.ragged = {"X"};
  config.batch_inputs[0].datatype = Datatype::kInt64;
  EXPECT_THAT(refusal(config), HasSubstr("neither INT32 nor FP32"));
  config = OneInstance();
  config.cores = {-1};
  EXPECT_THAT(refusal(config), HasSubstr("core"));
  config = OneInstance(-1);
  EXPECT_THAT(refusal(config), HasSubstr("negative"));
  max_instances_ = 1;
  EXPECT_EQ(refusal({.batcher = {.num_instances = 2}}), "no memory");
}

TEST_F(BatchingServableTest, HasAnInstanceForEachBatchAtOnce) {
  Make({.batcher = {.num_instances = 2, .max_batch_size = 1}});
  EXPECT_EQ(num_made_, 2);
  gate_.Set(false);
  Ask({Numbers("X", {1, 1}, {1})});
  Ask({Numbers("X", {1, 1}, {2})});
  AwaitThat([&] { return gate_.num_waiting() == 2; });
  LetGo();
}

TEST_F(BatchingServableTest, ItsNumberOfInstancesChangesWhileItRuns) {
  Make(OneInstance(1));
  Occupy();
  Queue({Numbers("X", {1, 1}, {1})});
  Queue({Numbers("X", {1, 1}, {2})});
  ASSERT_TRUE(model_->Resize(3).ok());
  EXPECT_EQ(num_made_, 3);
  AwaitThat([&] { return gate_.num_waiting() == 3; });
  LetGo();
  EXPECT_THAT(Sums(2), ElementsAre(2));
  max_instances_ = 4;
  EXPECT_EQ(Message(model_->Resize(5)), "no memory");
  EXPECT_EQ(model_->num_instances(), 3);
  ASSERT_TRUE(model_->Resize(1).ok());
  EXPECT_EQ(model_->num_instances(), 1);
  EXPECT_EQ(num_made_, 4);
  ASSERT_TRUE(model_->Resize(2).ok());
  EXPECT_EQ(num_made_, 5);  // those that were not wanted are gone
  EXPECT_FALSE(model_->Resize(-1).ok());
}

TEST_F(BatchingServableTest, RefusesAfterStop) {
  Make(OneInstance());
  model_->Stop();
  EXPECT_EQ(model_->Infer({Numbers("X", {1, 1}, {1})}).status().code(),
            absl::StatusCode::kUnavailable);
}

// Callers of two kinds while the number of instances changes: each gets the
// sums of its own rows.
TEST_F(BatchingServableTest, ServesAMobOfCallers) {
  Make({.batcher = {.num_instances = 2,
                    .max_batch_size = 6,
                    .batching = {.max_queue_delay_us = 50}}});
  constexpr int kThreads = 6;
  constexpr int kRounds = 150;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < kThreads; ++i) {
    threads_.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        const int rows = 1 + (i + round) % 3;
        const int width = 1 + i % 2;
        std::vector<int32_t> values;
        std::vector<int32_t> sums;
        for (int row = 0; row < rows; ++row) {
          for (int k = 0; k < width; ++k) values.push_back(100 * i + round);
          sums.push_back(width * (100 * i + round));
        }
        const auto answer =
            model_->Infer({Numbers("X", {rows, width}, values)});
        if (!answer.ok() || ValuesOf(answer->at(0)) != sums) ++wrong;
      }
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(model_->Resize(1 + i % 4).ok());
  Join();
  EXPECT_EQ(wrong, 0);
  const BatcherStatistics statistics = *model_->counts().batcher;
  EXPECT_EQ(statistics.num_succeeded,
            static_cast<uint64_t>(kThreads * kRounds));
  EXPECT_EQ(statistics.num_running, 0);
}

}  // namespace
}  // namespace quaver
