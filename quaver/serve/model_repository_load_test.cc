// Tests of a load: configurations, overrides, instances, warm-up.
#include "quaver/serve/model_repository.h"
#include "quaver/serve/model_repository_fixture.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(ModelRepositoryTest, WithoutCompletionTheConfigurationSaysAll) {
  config_.auto_complete = false;
  Write("bare/1/value", "1");
  Write("half/1/value", "1");
  Write("half/config.pbtxt", "backend: \"add\"");
  Write("whole/1/value", "1");
  Write("whole/config.pbtxt", R"(backend: "add"
      input { name: "X" data_type: TYPE_INT32 dims: [ -1, 1 ] }
      output { name: "Y" data_type: TYPE_INT32 dims: [ -1, 1 ] })");
  const absl::Status status = Start();
  EXPECT_THAT(Message(status), HasSubstr("has no config.pbtxt"));
  EXPECT_THAT(Message(status), HasSubstr("must specify 'input' and 'output'"));
  EXPECT_EQ(*Ask("whole"), 1);
}

TEST_F(ModelRepositoryTest, AContradictingConfigurationIsRefused) {
  Write("m/1/value", "1");
  const std::pair<const char*, const char*> cases[] = {
      {"input { name: \"Z\" data_type: TYPE_INT32 dims: [ 1 ] }",
       "unexpected inference input 'Z' for model 'm', allowed inputs are: X"},
      {"input { name: \"X\" data_type: TYPE_FP32 dims: [ 1 ] }",
       "the model has data-type TYPE_INT32, but the configuration specifies "
       "TYPE_FP32"},
      {"output { name: \"Y\" data_type: TYPE_INT32 dims: [ 2 ] }",
       "the model has dims [1], but the configuration specifies [2]"},
      {"dynamic_batching { preferred_batch_size: 9 }",
       "preferred_batch_size 9"},
      {"instance_group { host_policy: \"x\" }", "--host-policy 'x'"},
  };
  config_.control = ModelControl::kExplicit;
  ASSERT_TRUE(Start().ok());
  for (const auto& [text, expected] : cases) {
    Write("m/config.pbtxt", std::string("max_batch_size: 8 ") + text);
    const absl::Status status = repository_->Load("m");
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(Message(status), HasSubstr(expected));
  }
}

TEST_F(ModelRepositoryTest, ALoadMayBringItsConfigurationAndFiles) {
  config_.control = ModelControl::kExplicit;
  Write("m/1/value", "1");
  Write("m/2/value", "2");
  ASSERT_TRUE(Start().ok());
  LoadOverride with;
  with.config = R"({"max_batch_size": 5,
                    "version_policy": {"specific": {"versions": [1]}}})";
  ASSERT_TRUE(repository_->Load("m", with).ok());
  EXPECT_EQ(*Ask("m"), 1);
  EXPECT_EQ((*models_.Find("m"))->config.max_batch_size, 5);

  with.config = "{}";
  with.files = {{"7/value", "77"}};
  ASSERT_TRUE(repository_->Load("m", with).ok());
  EXPECT_EQ(*Ask("m"), 77);
  EXPECT_THAT(models_.Versions("m"), ElementsAre(7));
  // A name that the repository does not have.
  ASSERT_TRUE(repository_->Load("fresh", with).ok());
  EXPECT_EQ(*Ask("fresh"), 77);

  with.config.reset();
  EXPECT_THAT(Message(repository_->Load("m", with)),
              HasSubstr("the parameter 'config'"));
  with.config = "{}";
  for (const char* name :
       {"value", "1/../../x", "x/value", "1/", "1/a/b", "01/value", "/1/x"}) {
    with.files = {{name, "1"}};
    EXPECT_THAT(Message(repository_->Load("m", with)),
                HasSubstr("'file:<version>/<file>'"))
        << name;
  }
  with.files = {};
  with.config = "{\"max_batch_size\":";
  EXPECT_THAT(Message(repository_->Load("m", with)),
              HasSubstr("failed to parse the model configuration"));
  EXPECT_EQ(*Ask("m"), 77);
  ASSERT_TRUE(repository_->Load("m").ok());  // as the folder has it
  EXPECT_EQ(*Ask("m"), 2);
}

TEST_F(ModelRepositoryTest, TemporaryFilesGoWithTheModel) {
  const auto written = TemporaryModel::Write({{"1/value", "1"}});
  ASSERT_TRUE(written.ok()) << written.status();
  const std::string path = (*written)->path();
  namespace fs = std::filesystem;
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
  EXPECT_TRUE(fs::exists(path + "/1/value"));
  auto kept = TemporaryModel::Write({{"1/value", "2"}});
  EXPECT_NE((*kept)->path(), path);
  const std::string other = (*kept)->path();
  kept->reset();
  EXPECT_FALSE(fs::exists(other));
}

TEST_F(ModelRepositoryTest, OnlyTheNumberOfInstancesChanges) {
  config_.control = ModelControl::kExplicit;
  config_.load_models = {"m"};
  Write("m/1/value", "1");
  Write("m/config.pbtxt", "instance_group { count: 1 }");
  ASSERT_TRUE(Start().ok());
  Write("m/config.pbtxt", "instance_group { count: 3 }");
  ASSERT_TRUE(repository_->Load("m").ok());
  EXPECT_EQ(watched_.num_loads, 1);
  EXPECT_EQ(watched_.num_instances, 3);
  EXPECT_EQ((*models_.Find("m"))->config.num_instances(), 3);
  EXPECT_EQ(*Ask("m"), 1);

  // A file that changed, too, or a model that cannot: loaded anew.
  Write("m/config.pbtxt", "instance_group { count: 2 }");
  Write("m/1/fixed", "");
  ASSERT_TRUE(repository_->Load("m").ok());
  EXPECT_EQ(watched_.num_loads, 2);
  Write("m/config.pbtxt", "instance_group { count: 4 }");
  ASSERT_TRUE(repository_->Load("m").ok());
  EXPECT_EQ(watched_.num_loads, 3);
  EXPECT_EQ((*models_.Find("m"))->config.num_instances(), 4);
}

TEST_F(ModelRepositoryTest, AnOverrideMayChangeTheNumberOfInstances) {
  config_.control = ModelControl::kExplicit;
  Write("m/1/value", "1");
  ASSERT_TRUE(Start().ok());
  LoadOverride with;
  for (const int count : {1, 3, 2}) {
    with.config = fmt::format(
        R"({{"instance_group": [{{"kind": "KIND_CPU", "count": {}}}]}})",
        count);
    ASSERT_TRUE(repository_->Load("m", with).ok());
    EXPECT_EQ((*models_.Find("m"))->config.num_instances(), count);
  }
  EXPECT_EQ(watched_.num_loads, 1);
  EXPECT_EQ(watched_.num_instances, 2);
  Write("m/1/value", "7");
  with.config = R"({"instance_group": [{"kind": "KIND_CPU", "count": 4}]})";
  ASSERT_TRUE(repository_->Load("m", with).ok());
  EXPECT_EQ(*Ask("m"), 7);
}

TEST_F(ModelRepositoryTest, WhereInstancesComputeIsNotTheirNumber) {
  config_.control = ModelControl::kExplicit;
  config_.host_policies = {{"left", {0, 1}}, {"right", {2, 3}}};
  Write("m/1/value", "1");
  ASSERT_TRUE(Start().ok());
  const auto load = [&](const std::string& groups) {
    Write("m/config.pbtxt", groups);
    EXPECT_TRUE(repository_->Load("m").ok()) << groups;
    return (*models_.Find("m"))->config.cores;
  };
  EXPECT_THAT(load("instance_group { host_policy: \"left\" count: 1 }"),
              ElementsAre(0, 1));
  EXPECT_THAT(load("instance_group { host_policy: \"left\" count: 2 }"),
              ElementsAre(0, 1));
  EXPECT_EQ(watched_.num_loads, 1);
  EXPECT_THAT(load("instance_group { host_policy: \"right\" count: 2 }"),
              ElementsAre(2, 3));
  EXPECT_EQ(watched_.num_loads, 2);
  const std::string two =
      "instance_group { host_policy: \"left\" count: 1 } instance_group { "
      "host_policy: \"right\" count: ";
  EXPECT_THAT(load(two + "1 }"), ElementsAre(1, 2));
  EXPECT_THAT(load(two + "2 }"), ElementsAre(0, 3, 2));
  EXPECT_EQ(watched_.num_loads, 4);
}

TEST_F(ModelRepositoryTest, ConfigurationsHaveNames) {
  config_.config_name = "fast";
  Write("m/1/value", "1");
  Write("m/config.pbtxt", "max_batch_size: 2");
  Write("m/configs/fast.pbtxt", "max_batch_size: 3");
  Write("n/1/value", "1");
  Write("n/config.pbtxt", "max_batch_size: 2");
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ((*models_.Find("m"))->config.max_batch_size, 3);
  EXPECT_EQ((*models_.Find("n"))->config.max_batch_size, 2);
}

TEST_F(ModelRepositoryTest, FailedLoadsAreRetried) {
  config_.num_load_retries = 2;
  Write("m/1/value", "bad");
  EXPECT_FALSE(Start().ok());
  EXPECT_EQ(watched_.num_loads, 3);
}

TEST_F(ModelRepositoryTest, AModelIsWarmBeforeItIsReady) {
  config_.control = ModelControl::kExplicit;
  Write("m/1/value", "1");
  const auto warmup = [](const std::string& how) {
    return "model_warmup { name: \"w\" batch_size: 2 count: 3 inputs { key: "
           "\"X\" value { data_type: TYPE_INT32 dims: 1 " +
           how + " } } } max_batch_size: 8";
  };
  Write("m/config.pbtxt", warmup("random_data: true"));
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(repository_->Load("m").ok());
  EXPECT_EQ(watched_.num_calls, 3);
  Write("m/config.pbtxt", warmup("input_data_file: \"data\""));
  EXPECT_THAT(Message(repository_->Load("m")), HasSubstr("warmup/data"));
  Write("m/warmup/data", std::string(7, 'a'));
  EXPECT_THAT(Message(repository_->Load("m")), HasSubstr("model_warmup 'w'"));
  Write("m/warmup/data", std::string(8, 'a'));
  EXPECT_TRUE(repository_->Load("m").ok());
  EXPECT_EQ(watched_.num_calls, 6);
  Write("m/config.pbtxt",
        "model_warmup { inputs { key: \"Q\" value { "
        "data_type: TYPE_INT32 dims: 1 zero_data: true } } }");
  EXPECT_THAT(Message(repository_->Load("m")),
              HasSubstr("unexpected inference input 'Q'"));
}

}  // namespace
}  // namespace quaver
