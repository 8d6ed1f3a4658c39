// Tests of inference answers and of generate's.
#include "quaver/serve/kserve_response.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/serve/kserve_generate.h"

namespace quaver {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

template <typename Value>
Tensor Numbers(const std::string& name, Datatype datatype,
               std::vector<int64_t> shape, const std::vector<Value>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {name, datatype, std::move(shape), {}, {bytes.begin(), bytes.end()}};
}

Tensor Strings(const std::string& name, std::vector<std::string> strings) {
  const auto count = static_cast<int64_t>(strings.size());
  return {name, Datatype::kBytes, {count}, std::move(strings), {}};
}

ModelConfig Model() {
  ModelConfig model;
  model.name = "m\"";
  model.inputs = {{.name = "TEXT", .dims = {1}},
                  {.name = "N",
                   .datatype = Datatype::kInt32,
                   .dims = {-1},
                   .optional = true}};
  model.outputs = {{.name = "A", .dims = {-1}},
                   {.name = "B", .datatype = Datatype::kFp32, .dims = {-1}}};
  return model;
}

const Tensors kOutputs = {
    Strings("A", {"caf\u00e9 \"x\"\n", ""}),
    Numbers<float>("B", Datatype::kFp32, {3}, {0.1f, -2, 3e30f})};

TEST(KserveResponseTest, JsonNamesWhatIsAnswered) {
  InferRequest request;
  request.id = "i\\d";
  const auto body = WriteInferResponse(Model(), request, kOutputs);
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_FALSE(body->has_binary);
  EXPECT_EQ(body->json_bytes, body->bytes.size());
  const Json json = Json::parse(body->bytes);
  EXPECT_EQ(json["id"], "i\\d");
  EXPECT_EQ(json["model_name"], "m\"");
  EXPECT_EQ(json["model_version"], "1");
  EXPECT_EQ(json["outputs"][0]["data"], Json({"caf\u00e9 \"x\"\n", ""}));
  EXPECT_EQ(json["outputs"][1]["datatype"], "FP32");
  EXPECT_EQ(json["outputs"][1]["shape"], Json({3}));
  EXPECT_EQ(json["outputs"][1]["data"][0].get<float>(), 0.1f);
  EXPECT_EQ(json["outputs"][1]["data"][2].get<float>(), 3e30f);
  request.id = "";
  EXPECT_THAT(WriteInferResponse(Model(), request, kOutputs)->bytes,
              Not(HasSubstr("\"id\"")));
}

TEST(KserveResponseTest, BinaryFollowsTheJson) {
  InferRequest request;
  request.binary_output = true;
  request.outputs = {{"A", std::nullopt}, {"B", false}};
  const auto body = WriteInferResponse(Model(), request, kOutputs);
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_TRUE(body->has_binary);
  const Json json = Json::parse(body->bytes.substr(0, body->json_bytes));
  const std::string binary = body->bytes.substr(body->json_bytes);
  EXPECT_EQ(json["outputs"][0]["parameters"]["binary_data_size"],
            binary.size());
  EXPECT_FALSE(json["outputs"][0].contains("data"));
  EXPECT_TRUE(json["outputs"][1].contains("data"));
  EXPECT_EQ(binary, std::string("\x0a\0\0\0", 4) + "caf\u00e9 \"x\"\n" +
                        std::string(4, '\0'));
}

TEST(KserveResponseTest, OnlyWhatWasAskedForIsAnswered) {
  InferRequest request;
  request.outputs = {{"B", std::nullopt}};
  const auto body = WriteInferResponse(Model(), request, kOutputs);
  const Json json = Json::parse(body->bytes);
  ASSERT_EQ(json["outputs"].size(), 1u);
  EXPECT_EQ(json["outputs"][0]["name"], "B");
}

TEST(KserveResponseTest, ScalarsAndExtremesAreWritten) {
  ModelConfig model;
  model.max_batch_size = 2;
  model.outputs = {{.name = "S", .dims = {1}, .is_scalar = true}};
  const auto written = [&](Tensor tensor) {
    tensor.name = "S";
    return WriteInferResponse(model, {}, {tensor})->bytes;
  };
  EXPECT_THAT(written(Numbers<int64_t>("", Datatype::kInt64, {2},
                                       {INT64_MIN, INT64_MAX})),
              HasSubstr("\"shape\":[2,1],\"data\":[-9223372036854775808,"
                        "9223372036854775807]"));
  EXPECT_THAT(
      written(Numbers<uint64_t>("", Datatype::kUint64, {1}, {UINT64_MAX})),
      HasSubstr("[18446744073709551615]"));
  EXPECT_THAT(written(Numbers<uint8_t>("", Datatype::kBool, {2}, {1, 0})),
              HasSubstr("[true,false]"));
  EXPECT_THAT(written(Numbers<int8_t>("", Datatype::kInt8, {2}, {-1, 65})),
              HasSubstr("[-1,65]"));
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(written(Numbers<float>("", Datatype::kFp32, {3},
                                     {NAN, kInfinity, -kInfinity})),
              HasSubstr("[NaN,Infinity,-Infinity]"));
}

TEST(KserveResponseTest, WhatHasNoFormInJsonIsRefused) {
  const auto complaint = [](const Tensor& tensor) {
    const auto body = WriteInferResponse(Model(), {}, {tensor});
    EXPECT_EQ(body.status().code(), absl::StatusCode::kInvalidArgument);
    return Message(body.status());
  };
  EXPECT_THAT(complaint(Strings("A", {"a", "\xff"})),
              HasSubstr("element 1 of output 'A' is not UTF-8"));
  EXPECT_THAT(complaint(Numbers<uint16_t>("B", Datatype::kFp16, {1}, {1})),
              HasSubstr("sending FP16 data via JSON is not supported"));
}

TEST(KserveGenerateTest, MembersAreInputsByName) {
  auto request = ParseGenerateRequest(
      R"({"id":"7","TEXT":"abba","N":[1,2],"temperature":0.5})", Model());
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->id, "7");
  ASSERT_EQ(request->inputs.size(), 2u);
  EXPECT_EQ(request->inputs[0].strings, std::vector<std::string>{"abba"});
  EXPECT_EQ(request->inputs[1].shape, std::vector<int64_t>{2});
  request = ParseGenerateRequest(R"({"text_input":"abba"})", Model());
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->inputs[0].name, "TEXT");
}

TEST(KserveGenerateTest, OtherMembersAreParameters) {
  auto request = ParseGenerateRequest(
      R"({"text_input":"a","temperature":0.5,"timeout":5000000,"id":"7",
          "parameters":{"priority":2,"stop":"b\"","N":[3]},"stream":false})",
      Model());
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->timeout_us, 5'000'000);
  EXPECT_EQ(request->priority, 2);
  EXPECT_EQ(request->parameters,
            R"({"temperature":0.5,"stream":false,"stop":"b\""})");
  EXPECT_EQ(request->inputs.size(), 2u);
  request = ParseGenerateRequest(R"({"TEXT":"a"})", Model());
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->parameters, "");
}

TEST(KserveGenerateTest, BadMembersAreRefused) {
  for (const char* body :
       {"", "[]", "{}", R"({"TEXT":1})", R"({"TEXT":["a","b"]})",
        R"({"TEXT":"a","N":"b"})", R"({"TEXT":{}})",
        R"({"TEXT":"a","other":[1]})", R"({"TEXT":"a","timeout":"5"})",
        R"({"TEXT":"a","parameters":1})", R"({"TEXT":"a","triton_x":1})",
        R"({"TEXT":"a","parameters":{"deep":{}}})",
        R"({"TEXT":"a","text_input":"b"})"}) {
    EXPECT_EQ(ParseGenerateRequest(body, Model()).status().code(),
              absl::StatusCode::kInvalidArgument)
        << body;
  }
}

TEST(KserveGenerateTest, OutputsAreMembers) {
  InferRequest request;
  request.id = "7";
  const auto body = WriteGenerateResponse(
      Model(), request,
      {Strings("A", {"abba"}),
       Numbers<float>("B", Datatype::kFp32, {2}, {1, 2})});
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ(Json::parse(*body), Json::parse(R"({
      "id": "7", "model_name": "m\"", "model_version": "1",
      "text_output": "abba", "A": "abba", "B": [1, 2]})"));
  const auto empty = WriteGenerateResponse(Model(), {}, {Strings("A", {})});
  EXPECT_EQ(Json::parse(*empty)["A"], Json::array());
}

}  // namespace
}  // namespace quaver
