// Tests of what lies between a model and its callers: limits, batches, cache,
// ensembles.
#include "quaver/serve/model_loader.h"

#include <atomic>
#include <thread>

#include <nlohmann/json.hpp>

#include "quaver/serve/internal/scheduling_config.h"
#include "quaver/serve/model_repository_fixture.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ModelLoaderTest : public ModelRepositoryTest {
 protected:
  ModelLoaderTest() { config_.control = ModelControl::kExplicit; }

  // An ensemble of steps that each take the tensor of the one before.
  static std::string Chain(const std::vector<std::string>& models) {
    std::string text = R"(platform: "ensemble" max_batch_size: 4
        input { name: "X" data_type: TYPE_INT32 dims: 1 }
        output { name: "Y" data_type: TYPE_INT32 dims: 1 }
        ensemble_scheduling {)";
    for (size_t i = 0; i < models.size(); ++i) {
      const std::string from = i == 0 ? "X" : "t" + std::to_string(i);
      const std::string to =
          i + 1 == models.size() ? "Y" : "t" + std::to_string(i + 1);
      text += fmt::format(
          R"( step {{ model_name: "{}" model_version: -1
              input_map {{ key: "X" value: "{}" }}
              output_map {{ key: "Y" value: "{}" }} }})",
          models[i], from, to);
    }
    return text + " }";
  }
};

TEST_F(ModelLoaderTest, InstancesLimitTheCallsOfABackendWithoutThem) {
  Write("m/1/value", "1");
  Write("m/config.pbtxt", "backend: \"plain\" instance_group { count: 1 }");
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(repository_->Load("m").ok());
  Gate gate;
  watched_.call_gate = &gate;
  std::thread first([&] { EXPECT_EQ(*Ask("m"), 1); });
  gate.AwaitWaiting();
  // It would stay at the gate if it came that far.
  const auto second =
      (*models_.Find("m"))
          ->servable->Infer({}, {.deadline_us = Clock::Real().NowUs() + 1},
                            nullptr);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(watched_.num_calls, 1);
  gate.Open();
  first.join();
  EXPECT_EQ(*Ask("m"), 1);
}

TEST_F(ModelLoaderTest, TheServerBatchesBeforeABackendThatDoesNot) {
  Write("m/1/value", "1");
  Write("m/config.pbtxt", R"(backend: "plain" max_batch_size: 8
      instance_group { count: 1 } dynamic_batching { })");
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(repository_->Load("m").ok());
  const auto model = *models_.Find("m");
  EXPECT_EQ(*AskModel(*model), 1);
  ASSERT_TRUE(model->servable->counts().batcher.has_value());
  EXPECT_EQ(model->servable->counts().batcher->num_instances, 1);
  EXPECT_EQ(model->servable->counts().batcher->num_succeeded, 1u);
  // Its instances change without a load.
  Write("m/config.pbtxt", R"(backend: "plain" max_batch_size: 8
      instance_group { count: 2 } dynamic_batching { })");
  ASSERT_TRUE(repository_->Load("m").ok());
  EXPECT_EQ(watched_.num_loads, 1);
  EXPECT_EQ(model->servable->counts().batcher->num_instances, 2);
  EXPECT_EQ((*models_.Find("m"))->servable, model->servable);
  EXPECT_EQ(&(*models_.Find("m"))->statistics, &model->statistics);
}

TEST_F(ModelLoaderTest, AnswersAreCachedWhereModelAndServerSaySo) {
  config_.cache = std::make_shared<ResponseCache>(1 << 20);
  Write("m/1/value", "1");
  Write("n/1/value", "2");
  Write("m/config.pbtxt", "response_cache { enable: true }");
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(repository_->Load("m").ok());
  ASSERT_TRUE(repository_->Load("n").ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(*Ask("m"), 1);
    EXPECT_EQ(*Ask("n"), 2);
  }
  EXPECT_EQ(watched_.num_calls, 1 + 3);
  EXPECT_EQ((*models_.Find("m"))->servable->counts().cache->num_hits, 2u);
  // What a version answered is forgotten with it.
  Write("m/1/value", "5");
  ASSERT_TRUE(repository_->Load("m").ok());
  EXPECT_EQ(*Ask("m"), 5);
}

TEST_F(ModelLoaderTest, AnEnsembleLoadsItsModels) {
  Write("one/1/value", "1");
  Write("ten/1/value", "10");
  Write("chain/config.pbtxt", Chain({"one", "ten", "one"}));
  Write("outer/config.pbtxt", Chain({"chain", "ten"}));
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(repository_->Load("outer").ok());
  EXPECT_EQ(*Ask("chain"), 12);
  EXPECT_EQ(*Ask("outer"), 22);
  EXPECT_THAT(Index(), ElementsAre("chain/1 READY", "one/1 READY",
                                   "outer/1 READY", "ten/1 READY"));
  const auto json = MetadataJson((*models_.Find("outer"))->config, {1});
  EXPECT_EQ(json["platform"], "ensemble");
  // Calls of members count as such.
  EXPECT_EQ((*models_.Find("ten"))->statistics.ToJson()["inference_count"], 3);

  // A member that is loaded anew is used at once.
  Write("ten/1/value", "20");
  ASSERT_TRUE(repository_->Load("ten").ok());
  EXPECT_EQ(*Ask("outer"), 42);
}

TEST_F(ModelLoaderTest, AnEnsembleGoesWithItsModels) {
  Write("one/1/value", "1");
  Write("chain/config.pbtxt", Chain({"one", "one"}));
  Write("outer/config.pbtxt", Chain({"chain", "one"}));
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(repository_->Load("outer").ok());
  ASSERT_TRUE(repository_->Unload("one").ok());
  EXPECT_THAT(
      Index(),
      ElementsAre("chain/1 UNAVAILABLE ensemble 'chain' depends on 'one' which "
                  "has no loaded version",
                  "one/1 UNAVAILABLE unloaded",
                  HasSubstr("outer/1 UNAVAILABLE ensemble 'outer' depends")));
  ASSERT_TRUE(repository_->Load("outer").ok());
  EXPECT_EQ(*Ask("outer"), 3);
  ASSERT_TRUE(repository_->Unload("outer", /*dependents=*/true).ok());
  EXPECT_FALSE(Ask("one").ok());
  EXPECT_FALSE(Ask("chain").ok());
  EXPECT_EQ(watched_.num_alive, 0);
}

TEST_F(ModelLoaderTest, EnsemblesThatCannotBeAreRefused) {
  Write("one/1/value", "1");
  Write("bad/1/value", "bad");
  Write("small/1/value", "1");
  Write("small/config.pbtxt", "max_batch_size: 2");
  Write("self/config.pbtxt", Chain({"self"}));
  Write("a/config.pbtxt", Chain({"b"}));
  Write("b/config.pbtxt", Chain({"one", "a"}));
  Write("lost/config.pbtxt", Chain({"one", "nobody"}));
  Write("ill/config.pbtxt", Chain({"bad"}));
  Write("large/config.pbtxt", Chain({"small"}));
  ASSERT_TRUE(Start().ok());
  const auto complaint = [&](const char* name) {
    const absl::Status status = repository_->Load(name);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return Message(status);
  };
  EXPECT_THAT(complaint("self"), HasSubstr("circular dependency"));
  EXPECT_THAT(complaint("a"), HasSubstr("circular dependency between "
                                        "ensembles: 'a' -> 'b' -> 'a'"));
  EXPECT_THAT(complaint("lost"),
              HasSubstr("ensemble 'lost' depends on 'nobody' which has no "
                        "loaded version"));
  EXPECT_THAT(complaint("ill"), HasSubstr("value is bad"));
  EXPECT_THAT(complaint("large"), HasSubstr("maximum batch size"));
}

TEST_F(ModelLoaderTest, AllAtOnceEnsemblesComeAfterTheirModels) {
  config_.control = ModelControl::kNone;
  Write("a/config.pbtxt", Chain({"z", "b"}));
  Write("b/config.pbtxt", Chain({"z"}));
  Write("z/1/value", "1");
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(*Ask("a"), 2);
}

TEST_F(ModelLoaderTest, AReloadIsSeenThroughTheCachesOfEnsembles) {
  config_.cache = std::make_shared<ResponseCache>(1 << 20);
  const std::string cache = " response_cache { enable: true }";
  Write("one/1/value", "1");
  Write("ten/1/value", "10");
  // Names sorted so that no order of them is that of the steps.
  Write("b/config.pbtxt", Chain({"one", "ten"}) + cache);
  Write("c/config.pbtxt", Chain({"b"}));
  Write("a/config.pbtxt", Chain({"c", "ten"}) + cache);
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(repository_->Load("a").ok());
  EXPECT_EQ(*Ask("b"), 11);
  EXPECT_EQ(*Ask("a"), 21);
  const int num_calls = watched_.num_calls;
  EXPECT_EQ(*Ask("a"), 21);
  EXPECT_EQ(watched_.num_calls, num_calls);
  for (const int value : {2, 3}) {
    Write("one/1/value", std::to_string(value));
    ASSERT_TRUE(repository_->Load("one").ok());
    EXPECT_EQ(*Ask("a"), 20 + value);
    EXPECT_EQ(*Ask("b"), 10 + value);
  }
}

// A call that waits beside one that holds the only instance.
class LimitedModelTest : public ModelLoaderTest {
 protected:
  void Hold(const std::string& batching) {
    Write("m/1/value", "1");
    Write("m/config.pbtxt",
          "backend: \"plain\" instance_group { count: 1 } " + batching);
    ASSERT_TRUE(Start().ok());
    ASSERT_TRUE(repository_->Load("m").ok());
    watched_.call_gate = &gate_;
    holder_ = std::thread([this] {
      EXPECT_EQ(*AskModel(**models_.Find("m"), {.priority = 1}), 1);
    });
    gate_.AwaitWaiting();
  }
  ~LimitedModelTest() override {
    gate_.Open();
    if (holder_.joinable()) holder_.join();
  }
  Gate gate_;
  std::thread holder_;
};

TEST_F(LimitedModelTest, HasTheQueueThatItsPolicySays) {
  Hold("dynamic_batching { default_queue_policy { max_queue_size: 1 } }");
  std::atomic<int> num_refused = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      const auto answer = Ask("m");
      if (answer.ok()) return;
      EXPECT_THAT(Message(answer.status()),
                  HasSubstr("Exceeds maximum queue size"));
      ++num_refused;
    });
  }
  while (num_refused == 0) std::this_thread::yield();
  gate_.Open();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(num_refused, 1);
}

TEST_F(LimitedModelTest, HasTheTimeoutThatItsPolicySays) {
  Hold(R"(dynamic_batching { priority_levels: 2 default_priority_level: 2
      priority_queue_policy { key: 2
        value { default_timeout_microseconds: 1 } } })");
  EXPECT_TRUE((*models_.Find("m"))->config.has_queue_policy);
  EXPECT_EQ(Ask("m").status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(watched_.num_calls, 1);
}

TEST_F(ModelLoaderTest, OnlyABatcherHasQueuePolicies) {
  const std::string policy =
      " dynamic_batching { default_queue_policy { max_queue_size: 3 } }";
  const std::pair<std::string, bool> cases[] = {
      {"backend: \"plain\"" + policy, true},
      {"backend: \"plain\" max_batch_size: 2" + policy, true},
      {"backend: \"plain\" dynamic_batching { }", false},
      {"backend: \"add\"" + policy, false}};  // has a queue of its own
  Write("m/1/value", "1");
  ASSERT_TRUE(Start().ok());
  for (const auto& [config, has] : cases) {
    Write("m/config.pbtxt", config);
    ASSERT_TRUE(repository_->Load("m").ok()) << config;
    EXPECT_EQ((*models_.Find("m"))->config.has_queue_policy, has) << config;
  }
}

TEST(FieldsOfABatcherTest, AreThoseBeyondAQueue) {
  DynamicBatching batching;
  batching.default_queue_policy.max_queue_size = 5;
  EXPECT_TRUE(FieldsOfABatcher(batching).empty());
  batching.preferred_batch_sizes = {4};
  batching.max_queue_delay_us = 100;
  batching.adaptive = true;
  batching.preserve_ordering = true;
  batching.priority_levels = 2;
  batching.default_queue_policy.timeout_action =
      QueuePolicy::TimeoutAction::kDelay;
  batching.default_queue_policy.default_timeout_us = 1;
  EXPECT_THAT(
      FieldsOfABatcher(batching),
      ElementsAre("preferred_batch_size", "max_queue_delay_microseconds",
                  "adaptive_batching", "preserve_ordering", "priority_levels",
                  "timeout_action", "default_timeout_microseconds"));
}

TEST(HostPoliciesTest, InstancesTakeSuccessiveCores) {
  HostPolicies policies({{"left", {0, 1, 2}}, {"right", {5, 6}}});
  ModelConfig config;
  EXPECT_TRUE(policies.Deal(config)->empty());
  config.instance_groups = {{"a", 1, "left"}, {"b", 1, "left"}};
  EXPECT_THAT(*policies.Deal(config), ElementsAre(0, 1, 2));
  // Another model with it: from the next core on, and round.
  EXPECT_THAT(*policies.Deal(config), ElementsAre(2, 0, 1));
  config.instance_groups = {{"a", 3, "left"}, {"b", 1, "right"}};
  EXPECT_THAT(*policies.Deal(config), ElementsAre(1, 2, 0, 5));
  config.instance_groups = {{"a", 1, "right"}};
  EXPECT_THAT(*policies.Deal(config), ElementsAre(6, 5));
}

TEST(HostPoliciesTest, PoliciesAreWholeAndKnown) {
  HostPolicies policies({{"left", {0, 1}}, {"none", {}}});
  ModelConfig config;
  config.instance_groups = {{"a", 3, "left"}, {"b", 1, ""}};
  EXPECT_THAT(Message(policies.Deal(config).status()),
              HasSubstr("all instance groups"));
  for (const char* unknown : {"none", "nowhere"}) {
    config.instance_groups[1].host_policy = unknown;
    EXPECT_THAT(Message(policies.Deal(config).status()),
                HasSubstr(fmt::format("no --host-policy '{}'", unknown)));
  }
}

}  // namespace
}  // namespace quaver
