// Tests of configurations: what is read, what is refused, what is said of them.
#include "quaver/serve/model_config.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/base/file.h"
#include "quaver/net/proto/model_config.pb.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

absl::StatusOr<ModelConfig> Read(const std::string& text) {
  ASSIGN_OR_RETURN(const inference::ModelConfig source,
                   ParseConfigText(text, "m/config.pbtxt"));
  return ReadConfig(source, "m");
}

std::string Complaint(const std::string& text) {
  const auto config = Read(text);
  EXPECT_FALSE(config.ok()) << text;
  return config.ok() ? "" : Message(config.status());
}

TEST(ModelConfigTest, WhatTheServerFollowsIsRead) {
  const auto config = Read(R"(
      name: "m" backend: "python" max_batch_size: 32
      input [ { name: "TEXT" data_type: TYPE_STRING dims: [ 1 ] },
              { name: "IDS" data_type: TYPE_INT64 dims: [ -1 ] optional: true
                allow_ragged_batch: true },
              { name: "N" data_type: TYPE_INT32 dims: [ 1 ]
                reshape { shape: [ ] } } ]
      output [ { name: "EMBEDDING" data_type: TYPE_FP32 dims: [ 384 ] } ]
      instance_group [ { count: 2 kind: KIND_CPU host_policy: "near" },
                       { name: "more" } ]
      dynamic_batching {
        preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 500
        priority_levels: 2 default_priority_level: 2
        default_queue_policy { timeout_action: DELAY max_queue_size: 7
          default_timeout_microseconds: 9 allow_timeout_override: true }
        priority_queue_policy { key: 1 value { max_queue_size: 3 } }
      }
      version_policy { specific { versions: [ 3, 1 ] } }
      response_cache { enable: true }
      metric_tags { key: "team" value: "search" }
      parameters { key: "models" value: { string_value: "/m" } }
      parameters { key: "adaptive_batching" value: { string_value: "true" } }
      model_warmup [ { name: "w" batch_size: 2 inputs { key: "TEXT"
        value { data_type: TYPE_STRING dims: [ 1 ] random_data: true } } } ]
      batch_input [ { kind: BATCH_ACCUMULATED_ELEMENT_COUNT target_name: "E"
        data_type: TYPE_INT32 source_input: "IDS" } ])");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->backend, "python");
  EXPECT_EQ(config->max_batch_size, 32);
  ASSERT_EQ(config->inputs.size(), 3u);
  EXPECT_EQ(config->inputs[0].datatype, Datatype::kBytes);
  EXPECT_TRUE(config->inputs[1].optional);
  EXPECT_TRUE(config->inputs[1].ragged);
  EXPECT_TRUE(config->inputs[2].is_scalar);
  EXPECT_THAT(config->outputs[0].dims, ElementsAre(384));
  EXPECT_EQ(config->num_instances(), 3);
  EXPECT_EQ(config->instance_groups[0].name, "m_0");
  EXPECT_EQ(config->instance_groups[0].host_policy, "near");
  const DynamicBatching& batching = *config->dynamic_batching;
  EXPECT_THAT(batching.preferred_batch_sizes, ElementsAre(4, 8));
  EXPECT_EQ(batching.max_queue_delay_us, 500);
  EXPECT_TRUE(batching.adaptive);
  EXPECT_EQ(batching.priority_levels, 2);
  EXPECT_EQ(batching.default_queue_policy.timeout_action,
            QueuePolicy::TimeoutAction::kDelay);
  EXPECT_EQ(batching.default_queue_policy.default_timeout_us, 9);
  EXPECT_TRUE(batching.default_queue_policy.allow_timeout_override);
  EXPECT_EQ(batching.default_queue_policy.max_queue_size, 7);
  EXPECT_EQ(batching.priority_queue_policies.at(1).max_queue_size, 3);
  EXPECT_EQ(config->version_policy.kind, VersionPolicy::Kind::kSpecific);
  EXPECT_TRUE(config->response_cache);
  EXPECT_EQ(config->metric_tags.at("team"), "search");
  EXPECT_EQ(config->parameters.at("models"), "/m");
  EXPECT_EQ(config->warmups[0].batch_size, 2);
  EXPECT_EQ(config->warmups[0].count, 1);
  EXPECT_EQ(config->warmups[0].inputs.at("TEXT").data,
            WarmupRequest::Data::kRandom);
  EXPECT_EQ(config->batch_inputs[0].source, "IDS");
}

TEST(ModelConfigTest, WithoutAQueuePolicyQueuesAreBounded) {
  EXPECT_GT(Read("dynamic_batching { }")
                ->dynamic_batching->default_queue_policy.max_queue_size,
            0);
  EXPECT_EQ(Read("dynamic_batching { default_queue_policy { } }")
                ->dynamic_batching->default_queue_policy.max_queue_size,
            0);
}

TEST(ModelConfigTest, AnEnsembleHasSteps) {
  const auto config = Read(R"(
      platform: "ensemble" max_batch_size: 4
      input [ { name: "A" data_type: TYPE_STRING dims: [ 1 ] } ]
      output [ { name: "B" data_type: TYPE_FP32 dims: [ 3 ] } ]
      ensemble_scheduling { max_inflight_requests: 5
        step [ { model_name: "x" model_version: -1
                 input_map { key: "IN" value: "A" }
                 output_map { key: "OUT" value: "B" } },
               { model_name: "y" model_version: 2 } ] })");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->ensemble->max_inflight_requests, 5);
  EXPECT_EQ(config->ensemble->steps[0].input_map.at("IN"), "A");
  EXPECT_EQ(config->ensemble->steps[0].version, -1);
  EXPECT_EQ(config->ensemble->steps[1].version, 2);
}

TEST(ModelConfigTest, ErrorsSayWhere) {
  EXPECT_THAT(Complaint("backend: \"x\"\n  max_batch: 3"),
              HasSubstr("m/config.pbtxt:2:12: Message type "
                        "\"inference.ModelConfig\" has no field named "
                        "\"max_batch\""));
  EXPECT_THAT(Complaint("max_batch_size: \"a\""), HasSubstr(":1:17: "));
  EXPECT_THAT(Complaint("input [ {"), HasSubstr("m/config.pbtxt:1:"));
  EXPECT_THAT(Complaint("backend: \"\\377\""), HasSubstr("no UTF-8"));
  EXPECT_THAT(Complaint("backend: \"\xFF\""), HasSubstr("no UTF-8"));
}

TEST(ModelConfigTest, WhatDoesNotHoldIsRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {"name: \"n\"", "the configuration's name is 'n'"},
      {"max_batch_size: -1", "'max_batch_size' must be non-negative"},
      {"input { data_type: TYPE_INT8 dims: 1 }", "must specify 'name'"},
      {"input { name: \"A\" dims: 1 }", "'A' must specify 'data_type'"},
      {"input { name: \"A\" data_type: TYPE_INT8 }", "must specify 'dims'"},
      {"output { name: \"A\" data_type: TYPE_INT8 dims: -2 }",
       "dimension must be integer >= 1"},
      {"output { name: \"A\" data_type: TYPE_INT8 dims: 1 } "
       "output { name: \"A\" data_type: TYPE_INT8 dims: 1 }",
       "configured twice"},
      {"input { name: \"A\" data_type: TYPE_INT8 dims: 4 reshape { shape: 2 "
       "shape: 2 } }",
       "reshape"},
      {"version_policy { latest { } }", "num_versions >= 1"},
      {"version_policy { specific { } }", "names no version"},
      {"instance_group { kind: KIND_GPU }", "does not support"},
      {"instance_group { count: -1 }", "count -1"},
      {"instance_group { count: 2000000000 } instance_group { count: "
       "2000000000 }",
       "count 2000000000"},
      {"sequence_batching { }", "sequence_batching is not supported"},
      {"model_transaction_policy { decoupled: true }", "decoupled"},
      {"platform: \"ensemble\"", "ensemble_scheduling must be set"},
      {"ensemble_scheduling { }", "needs platform"},
      {"metric_tags { key: \"a-b\" value: \"c\" }", "letters, digits"},
      {"model_warmup { inputs { key: \"A\" value { data_type: TYPE_INT8 dims: "
       "-1 zero_data: true } } }",
       "fixed shape"},
      {"model_warmup { inputs { key: \"A\" value { data_type: TYPE_INT8 dims: "
       "1 input_data_file: \"../secret\" } } }",
       "no file's name"},
      {"model_warmup { inputs { key: \"A\" value { data_type: TYPE_INT8 dims: "
       "1 } } }",
       "must set zero_data"},
      {"model_warmup { batch_size: 3 }", "above max_batch_size"},
      {"default_model_filename: \"../../x\"", "no file's name"},
      {"parameters { key: \"adaptive_batching\" value { string_value: \"1\" } "
       "}",
       "true or false"},
      {"batch_input { kind: BATCH_ITEM_SHAPE }", "BATCH_ITEM_SHAPE"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_THAT(Complaint(text), HasSubstr(expected)) << text;
    EXPECT_THAT(Complaint(text), HasSubstr("model 'm'")) << text;
  }
}

TEST(ModelConfigTest, TheConfigurationIsSaidWithAllFields) {
  const auto config = Read(R"(
      backend: "b" max_batch_size: 2
      input [ { name: "A" data_type: TYPE_BF16 dims: [ -1, 4 ]
                format: FORMAT_NHWC } ]
      dynamic_batching { max_queue_delay_microseconds: 9000000000 }
      optimization { graph { level: 1 } }
      parameters { key: "z" value { string_value: "1" } }
      parameters { key: "a" value { string_value: "2" } })");
  ASSERT_TRUE(config.ok()) << config.status();
  const Json json = Json::parse(ConfigJson(*config).dump());
  EXPECT_EQ(json["name"], "m");
  EXPECT_EQ(json["platform"], "");
  EXPECT_EQ(json["max_batch_size"], 2);
  EXPECT_EQ(json["input"][0]["dims"], Json({-1, 4}));
  EXPECT_EQ(json["input"][0]["data_type"], "TYPE_BF16");
  EXPECT_EQ(json["input"][0]["format"], "FORMAT_NHWC");
  EXPECT_EQ(json["input"][0]["optional"], false);
  EXPECT_FALSE(json["input"][0].contains("reshape"));
  EXPECT_EQ(json["output"], Json::array());
  EXPECT_EQ(json["version_policy"]["latest"]["num_versions"], 1);
  // A number, where protobuf's own writer has a string.
  EXPECT_EQ(json["dynamic_batching"]["max_queue_delay_microseconds"],
            9000000000);
  EXPECT_EQ(json["optimization"]["graph"]["level"], 1);
  EXPECT_EQ(json["parameters"].dump(),
            R"({"a":{"string_value":"2"},"z":{"string_value":"1"}})");
  EXPECT_FALSE(json.contains("sequence_batching"));
  EXPECT_FALSE(json.contains("response_cache"));

  // What is said can be loaded again.
  const auto again = ParseConfigJson(json.dump());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Json::parse(ConfigJson(*ReadConfig(*again, "m")).dump()), json);
}

TEST(ModelConfigTest, JsonIsReadAsProtobufDoes) {
  const auto config = ParseConfigJson(
      R"({"backend":"b","maxBatchSize":3,"instance_group":[{"count":"2"}]})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->max_batch_size(), 3);
  EXPECT_EQ(config->instance_group(0).count(), 2);
  for (const char* json : {"", "[]", "{", R"({"nobody":1})",
                           R"({"max_batch_size":"x"})", "{\"a\":\"\xFF\"}"}) {
    EXPECT_EQ(ParseConfigJson(json).status().code(),
              absl::StatusCode::kInvalidArgument)
        << json;
  }
}

TEST(ModelConfigTest, TheCorpusIsReadOrRefused) {
  int num_read = 0;
  for (const auto& file : std::filesystem::directory_iterator(
           QUAVER_SOURCE_DIR "/tests/corpora/model_config_fuzz")) {
    const auto text = ReadFile(file.path().string());
    ASSERT_TRUE(text.ok()) << text.status();
    for (const auto& source :
         {ParseConfigText(*text, "config.pbtxt"), ParseConfigJson(*text)}) {
      if (!source.ok() || !ReadConfig(*source, "m").ok()) continue;
      const std::string json = ConfigJson(*ReadConfig(*source, "m")).dump();
      EXPECT_TRUE(ParseConfigJson(json).ok()) << json;
      ++num_read;
    }
  }
  EXPECT_GE(num_read, 2);
}

TEST(VersionPolicyTest, VersionsAreChosen) {
  VersionPolicy policy;
  EXPECT_THAT(*VersionsToServe(policy, {10, 9, 1}), ElementsAre(10));
  policy.num_latest = 2;
  EXPECT_THAT(*VersionsToServe(policy, {10, 9, 1}), ElementsAre(9, 10));
  policy.num_latest = 7;
  EXPECT_THAT(*VersionsToServe(policy, {10, 9, 1}), ElementsAre(1, 9, 10));
  policy.kind = VersionPolicy::Kind::kAll;
  EXPECT_THAT(*VersionsToServe(policy, {2, 1}), ElementsAre(1, 2));
  policy.kind = VersionPolicy::Kind::kSpecific;
  policy.specific = {2, 1, 2};
  EXPECT_THAT(*VersionsToServe(policy, {2, 1, 3}), ElementsAre(1, 2));
  EXPECT_THAT(Message(VersionsToServe(policy, {1}).status()),
              HasSubstr("version 2 is specified"));
  EXPECT_EQ(VersionsToServe(VersionPolicy(), {}).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace quaver
