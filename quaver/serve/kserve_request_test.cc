// Tests of inference requests: what is read, and what each bad one is told.
#include "quaver/serve/kserve_request.h"

#include <cstring>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/serve/kserve_datatype.h"

namespace quaver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<InferRequest> ParseJson(const std::string& json) {
  return ParseInferRequest(json, json.size(), "m");
}

// One input of `datatype` with these members.
std::string Input(const std::string& datatype, const std::string& shape,
                  const std::string& rest) {
  return R"({"inputs":[{"name":"X","datatype":")" + datatype + R"(","shape":)" +
         shape + "," + rest + "}]}";
}

template <typename Value>
std::vector<Value> Values(const Tensor& tensor) {
  std::vector<Value> values(tensor.raw.size() / sizeof(Value));
  if (values.empty()) return {};
  std::memcpy(values.data(), tensor.raw.data(), tensor.raw.size());
  return values;
}

template <typename Value>
std::vector<Value> ReadData(const std::string& datatype,
                            const std::string& shape, const std::string& data) {
  const auto request = ParseJson(Input(datatype, shape, "\"data\":" + data));
  EXPECT_TRUE(request.ok()) << request.status();
  return request.ok() ? Values<Value>(request->inputs[0])
                      : std::vector<Value>();
}

std::string Complaint(const std::string& json) {
  const auto request = ParseJson(json);
  EXPECT_EQ(request.status().code(), absl::StatusCode::kInvalidArgument)
      << json;
  return Message(request.status());
}

std::string DataComplaint(const std::string& datatype, const std::string& shape,
                          const std::string& data) {
  return Complaint(Input(datatype, shape, "\"data\":" + data));
}

TEST(KserveRequestTest, ReadsEveryDatatypeThatJsonHas) {
  EXPECT_THAT(ReadData<uint8_t>("BOOL", "[2]", "[true,false]"),
              ElementsAre(1, 0));
  EXPECT_THAT(ReadData<uint8_t>("UINT8", "[2]", "[0,255]"),
              ElementsAre(0, 255));
  EXPECT_THAT(ReadData<uint16_t>("UINT16", "[1]", "[65535]"),
              ElementsAre(65535));
  EXPECT_THAT(ReadData<uint32_t>("UINT32", "[1]", "[4294967295]"),
              ElementsAre(4294967295u));
  EXPECT_THAT(ReadData<uint64_t>("UINT64", "[1]", "[18446744073709551615]"),
              ElementsAre(UINT64_MAX));
  EXPECT_THAT(ReadData<int8_t>("INT8", "[2]", "[-128,127]"),
              ElementsAre(-128, 127));
  EXPECT_THAT(ReadData<int16_t>("INT16", "[1]", "[-32768]"),
              ElementsAre(-32768));
  EXPECT_THAT(ReadData<int32_t>("INT32", "[1]", "[-2147483648]"),
              ElementsAre(INT32_MIN));
  EXPECT_THAT(ReadData<int64_t>("INT64", "[1]", "[-9223372036854775808]"),
              ElementsAre(INT64_MIN));
  EXPECT_THAT(ReadData<float>("FP32", "[3]", "[1,-0.5,1e-3]"),
              ElementsAre(1.0f, -0.5f, 1e-3f));
  EXPECT_THAT(ReadData<double>("FP64", "[1]", "[1e300]"), ElementsAre(1e300));
}

TEST(KserveRequestTest, IntegersBeyond64BitsAreFloats) {
  EXPECT_THAT(
      ReadData<double>("FP64", "[6]",
                       "[100000000000000000000,-9223372036854775809,"
                       "18446744073709551616,18446744073709551615,1.5,1e2]"),
      ElementsAre(1e20, -9223372036854775808.0, 18446744073709551616.0,
                  18446744073709551616.0, 1.5, 100));
  const auto request =
      ParseJson(Input("BYTES", "[1]",
                      R"("data":["\"100000000000000000000"],"x":1)"
                      R"(00000000000000000000)"));
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->inputs[0].strings,
              ElementsAre("\"100000000000000000000"));
  EXPECT_THAT(DataComplaint("UINT64", "[1]", "[18446744073709551616]"),
              HasSubstr("UINT64"));
  EXPECT_THAT(DataComplaint("FP64", "[1]", "[1000000000000000000000x]"),
              HasSubstr("parse"));
}

TEST(KserveRequestTest, NestedAndFlatDataAreTheSame) {
  EXPECT_THAT(ReadData<int32_t>("INT32", "[2,2]", "[1,2,3,4]"),
              ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(ReadData<int32_t>("INT32", "[2,2]", "[[1,2],[3,4]]"),
              ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(ReadData<int32_t>("INT32", "[0,2]", "[]"), ElementsAre());
  const auto request =
      ParseJson(Input("BYTES", "[1,2]", R"("data":[["a\u00e9",""]])"));
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->inputs[0].strings, ElementsAre("a\u00e9", ""));
  EXPECT_THAT(request->inputs[0].shape, ElementsAre(1, 2));
}

TEST(KserveRequestTest, ReadsIdParametersAndOutputs) {
  const auto request = ParseJson(
      R"({"id":"one","parameters":{"timeout":5,"binary_data_output":true,
          "priority":1,"sequence_id":7,"mine":"x"},"inputs":[],
          "outputs":[{"name":"A"},
                     {"name":"B","parameters":{"binary_data":false}}]})");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->id, "one");
  EXPECT_EQ(request->timeout_us, 5);
  EXPECT_TRUE(request->binary_output);
  ASSERT_EQ(request->outputs.size(), 2u);
  EXPECT_EQ(request->outputs[0].name, "A");
  EXPECT_EQ(request->outputs[0].binary, std::nullopt);
  EXPECT_EQ(request->outputs[1].binary, false);
}

TEST(KserveRequestTest, BinaryTensorsFollowInOrder) {
  const std::string json =
      R"({"inputs":[{"name":"A","datatype":"INT16","shape":[2],
                     "parameters":{"binary_data_size":4}},
                    {"name":"B","datatype":"INT8","shape":[1],"data":[7]},
                    {"name":"C","datatype":"BYTES","shape":[2],
                     "parameters":{"binary_data_size":11}}]})";
  const std::string binary("\1\0\2\0\3\0\0\0abc\0\0\0\0", 15);
  const auto request = ParseInferRequest(json + binary, json.size(), "m");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(Values<int16_t>(request->inputs[0]), ElementsAre(1, 2));
  EXPECT_THAT(Values<int8_t>(request->inputs[1]), ElementsAre(7));
  EXPECT_THAT(request->inputs[2].strings, ElementsAre("abc", ""));
}

TEST(KserveRequestTest, BinaryDataThatDoesNotFitIsRefused) {
  const auto complaint = [](const std::string& datatype,
                            const std::string& shape, const std::string& binary,
                            size_t claimed) {
    const std::string json = Input(
        datatype, shape,
        fmt::format(R"("parameters":{{"binary_data_size":{}}})", claimed));
    return Message(ParseInferRequest(json + binary, json.size(), "m").status());
  };
  EXPECT_THAT(complaint("INT32", "[2]", "abcd", 4),
              HasSubstr("input byte size mismatch for input 'X' for model 'm'. "
                        "Expected 8, got 4"));
  EXPECT_THAT(complaint("INT32", "[2]", "abcd", 8),
              HasSubstr("unexpected size for input 'X', expecting 4 additional "
                        "bytes for model 'm'"));
  EXPECT_THAT(complaint("INT32", "[1]", "abcdef", 4),
              HasSubstr("unexpected additional input data for model 'm'"));
  EXPECT_THAT(complaint("INT32", "[1]", "abcd", 1ull << 60),
              HasSubstr("unexpected size for input 'X'"));
  EXPECT_THAT(complaint("BYTES", "[1]", "abc", 3),
              HasSubstr("incomplete string length indicator"));
  EXPECT_THAT(complaint("BYTES", "[1]", std::string("\5\0\0\0abcd", 8), 8),
              HasSubstr("incomplete string data"));
  EXPECT_THAT(complaint("BYTES", "[2]", std::string("\1\0\0\0a", 5), 5),
              HasSubstr("expected 2 string elements for inference input 'X' "
                        "for model 'm', got 1"));
  EXPECT_THAT(complaint("BYTES", "[1]", std::string(8, '\0'), 8),
              HasSubstr("unexpected number of string elements 2"));
  EXPECT_THAT(complaint("BOOL", "[1]", "\2", 1), HasSubstr("neither 0 nor 1"));
}

TEST(KserveRequestTest, ShapesThatCannotBeAreRefused) {
  EXPECT_THAT(DataComplaint("FP32", "[2,-5]", "[1]"),
              HasSubstr("shape [2,-5] contains one or more invalid"));
  EXPECT_THAT(DataComplaint("FP32", "[16,1152921504606846978]", "[1]"),
              HasSubstr("causes total element count to exceed maximum size"));
  EXPECT_THAT(DataComplaint("FP32", "[4,1152921504606846978]", "[1]"),
              HasSubstr("byte size overflow for input 'X'"));
  EXPECT_THAT(DataComplaint("FP32", "[18446744073709551615]", "[1]"),
              HasSubstr("Unable to parse 'shape'"));
  EXPECT_THAT(DataComplaint("FP32", "[1.5]", "[1]"),
              HasSubstr("Unable to parse 'shape'"));
  EXPECT_THAT(DataComplaint("FP32", "7", "[1]"),
              HasSubstr("Unable to parse 'shape'"));
  EXPECT_THAT(DataComplaint("BYTES", "[2000000]", "[]"),
              HasSubstr("has more than 1048576 strings"));
}

TEST(KserveRequestTest, DataThatDoesNotFitIsRefused) {
  EXPECT_THAT(DataComplaint("INT32", "[2]", "[1]"),
              HasSubstr("does not match true shape of 'data' field"));
  EXPECT_THAT(DataComplaint("INT32", "[1]", "[1,2]"),
              HasSubstr("does not match true shape of 'data' field"));
  EXPECT_THAT(DataComplaint("BYTES", "[2]", "[\"a\"]"),
              HasSubstr("expected 2 string elements"));
  EXPECT_THAT(DataComplaint("BYTES", "[1]", "[\"a\",\"b\"]"),
              HasSubstr("unexpected number of string elements 2"));
  EXPECT_THAT(DataComplaint("BYTES", "[1]", "[1]"),
              HasSubstr("element 0 of input 'X' is no string"));
  EXPECT_THAT(DataComplaint("INT8", "[2]", "[1,128]"),
              HasSubstr("element 1 of input 'X' is not in the range of INT8"));
  EXPECT_THAT(DataComplaint("UINT8", "[1]", "[-1]"), HasSubstr("UINT8"));
  EXPECT_THAT(DataComplaint("INT64", "[1]", "[9223372036854775808]"),
              HasSubstr("INT64"));
  EXPECT_THAT(DataComplaint("INT32", "[1]", "[1.0]"), HasSubstr("INT32"));
  EXPECT_THAT(DataComplaint("BOOL", "[1]", "[1]"), HasSubstr("BOOL"));
  EXPECT_THAT(DataComplaint("FP32", "[1]", "[1e39]"), HasSubstr("FP32"));
  EXPECT_THAT(DataComplaint("FP32", "[1]", "[null]"), HasSubstr("FP32"));
  EXPECT_THAT(DataComplaint("FP32", "[1]", "[{}]"), HasSubstr("FP32"));
  EXPECT_THAT(DataComplaint("FP32", "[1]", "1"), HasSubstr("not an array"));
  EXPECT_THAT(DataComplaint("FP16", "[1]", "[1]"),
              HasSubstr("receiving FP16 data via JSON is not supported"));
  EXPECT_THAT(DataComplaint("FP8", "[1]", "[1]"),
              HasSubstr("invalid datatype \"FP8\" for input X"));
}

TEST(KserveRequestTest, NestingHasALimit) {
  const auto nested = [](int depth) {
    return std::string(depth, '[') + "1" + std::string(depth, ']');
  };
  EXPECT_THAT(ReadData<int32_t>("INT32", "[1]", nested(100)), ElementsAre(1));
  for (const int depth : {101, 200, 250'000}) {
    EXPECT_THAT(
        DataComplaint("INT32", "[1]", nested(depth)),
        HasSubstr("JSON nesting depth exceeds maximum allowed limit (100)"));
  }
}

TEST(KserveRequestTest, TextsThatAreNoRequestAreRefused) {
  EXPECT_THAT(Complaint(""), HasSubstr("failed to parse the request JSON"));
  EXPECT_THAT(Complaint("{"), HasSubstr("failed to parse the request JSON"));
  EXPECT_THAT(Complaint("{} {}"), HasSubstr("failed to parse"));
  EXPECT_THAT(Complaint("{\"id\":\"\xff\",\"inputs\":[]}"),
              HasSubstr("failed to parse"));
  EXPECT_THAT(Complaint("[]"), HasSubstr("not an object"));
  EXPECT_THAT(Complaint("{}"),
              HasSubstr("Unable to parse 'inputs': it is missing"));
  EXPECT_THAT(Complaint(R"({"inputs":{}})"), HasSubstr("'inputs'"));
  EXPECT_THAT(Complaint(R"({"inputs":[1]})"), HasSubstr("'inputs'"));
  EXPECT_THAT(Complaint(R"({"inputs":[{}]})"), HasSubstr("'name'"));
  EXPECT_THAT(Complaint(R"({"id":1,"inputs":[]})"), HasSubstr("'id'"));
  EXPECT_THAT(Complaint(R"({"inputs":[],"outputs":{}})"),
              HasSubstr("'outputs'"));
  EXPECT_THAT(Complaint(R"({"inputs":[],"outputs":[{"name":1}]})"),
              HasSubstr("'name'"));
  EXPECT_THAT(Complaint(Input("INT8", "[1]", "\"x\":1")),
              HasSubstr("must have either 'data' or"));
  EXPECT_THAT(
      Complaint(Input("INT8", "[1]",
                      R"("data":[1],"parameters":{"binary_data_size":0})")),
      HasSubstr("not both"));
  EXPECT_THAT(Complaint(Input("INT8", "[1]",
                              R"("parameters":{"binary_data_size":-1})")),
              HasSubstr("'binary_data_size'"));
}

TEST(KserveRequestTest, ParametersAreChecked) {
  const auto complaint = [](const std::string& parameters) {
    return Complaint(R"({"inputs":[],"parameters":)" + parameters + "}");
  };
  EXPECT_THAT(complaint("[]"), HasSubstr("'parameters'"));
  EXPECT_THAT(complaint(R"({"triton_x":1})"),
              HasSubstr("keys starting with 'triton_' are reserved"));
  EXPECT_THAT(complaint(R"({"mine":[1]})"), HasSubstr("invalid type"));
  EXPECT_THAT(complaint(R"({"timeout":-1})"), HasSubstr("'timeout'"));
  EXPECT_THAT(complaint(R"({"priority":"high"})"), HasSubstr("'priority'"));
  EXPECT_THAT(complaint(R"({"binary_data_output":1})"),
              HasSubstr("'binary_data_output'"));
}

TEST(KserveRequestTest, WhatIsNotDoneIsSaid) {
  for (const char* json :
       {R"({"inputs":[],"outputs":[{"name":"A","parameters":
            {"classification":3}}]})",
        R"({"inputs":[],"outputs":[{"name":"A","parameters":
            {"shared_memory_region":"r"}}]})",
        R"({"inputs":[{"name":"A","datatype":"INT8","shape":[1],"parameters":
            {"shared_memory_region":"r"}}]})"}) {
    EXPECT_EQ(ParseJson(json).status().code(),
              absl::StatusCode::kUnimplemented);
  }
}

TEST(KserveRequestTest, HeaderLengthsThatLieAreRefused) {
  EXPECT_EQ(*ParseHeaderLength("0", 10), 0u);
  EXPECT_EQ(*ParseHeaderLength("10", 10), 10u);
  for (const char* value :
       {"11", "-1", "99999999999", "99999999999999999999"}) {
    EXPECT_THAT(Message(ParseHeaderLength(value, 10).status()),
                HasSubstr("inference header size should be in range (0, 10)"));
  }
  for (const char* value : {"", "x", "1x", " 1", "0x1", "1.0"}) {
    EXPECT_THAT(
        Message(ParseHeaderLength(value, 10).status()),
        HasSubstr("Unable to parse Inference-Header-Content-Length, got"));
  }
}

ModelConfig Model(int max_batch_size) {
  ModelConfig model;
  model.name = "m";
  model.max_batch_size = max_batch_size;
  model.inputs = {{.name = "X", .datatype = Datatype::kInt32, .dims = {-1}},
                  {.name = "Y",
                   .datatype = Datatype::kBytes,
                   .dims = {1},
                   .is_scalar = true,
                   .optional = true}};
  model.outputs = {{.name = "Z", .datatype = Datatype::kInt32, .dims = {-1}}};
  return model;
}

InferRequest Request(std::vector<int64_t> shape) {
  InferRequest request;
  request.inputs = {{.name = "X",
                     .datatype = Datatype::kInt32,
                     .shape = std::move(shape),
                     .strings = {},
                     .raw = {}}};
  return request;
}

std::string FitComplaint(int max_batch_size, InferRequest request) {
  const auto status = FitToModel(Model(max_batch_size), request);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return Message(status);
}

TEST(FitToModelTest, SetsTheBatchAndTheServablesShapes) {
  InferRequest request = Request({3, 5});
  request.inputs.push_back({.name = "Y",
                            .datatype = Datatype::kBytes,
                            .shape = {3, 1},
                            .strings = {"a", "b", "c"},
                            .raw = {}});
  ASSERT_TRUE(FitToModel(Model(4), request).ok());
  EXPECT_EQ(request.batch_size, 3);
  EXPECT_THAT(request.inputs[0].shape, ElementsAre(3, 5));
  EXPECT_THAT(request.inputs[1].shape, ElementsAre(3));
  request = Request({5});
  ASSERT_TRUE(FitToModel(Model(0), request).ok());
  EXPECT_EQ(request.batch_size, 1);
}

TEST(FitToModelTest, SaysWhatTheModelExpects) {
  InferRequest request = Request({1, 5});
  request.inputs[0].name = "Q";
  EXPECT_THAT(FitComplaint(4, request),
              HasSubstr("unexpected inference input 'Q' for model 'm'"));
  request = Request({1, 5});
  request.inputs.push_back(request.inputs[0]);
  EXPECT_THAT(FitComplaint(4, request),
              HasSubstr("input 'X' already exists in request"));
  EXPECT_THAT(FitComplaint(4, {}),
              HasSubstr("expected number of inputs between 1 and 2 but got 0 "
                        "inputs for model 'm'. Got input(s) [], but missing "
                        "required input(s) ['X']"));
  ModelConfig both = Model(4);
  for (TensorConfig& input : both.inputs) input.optional = false;
  request = {};
  EXPECT_THAT(
      Message(FitToModel(both, request)),
      HasSubstr("expected 2 inputs but got 0 inputs for model 'm'. Got "
                "input(s) [], but missing required input(s) ['X','Y']"));
  request = Request({1, 5});
  request.outputs = {{"Q", std::nullopt}};
  EXPECT_THAT(FitComplaint(4, request),
              HasSubstr("unexpected inference output 'Q' for model 'm'"));
  request.outputs = {{"Z", std::nullopt}, {"Z", true}};
  EXPECT_THAT(FitComplaint(4, request),
              HasSubstr("output 'Z' already exists in request"));
  request = Request({1, 5});
  request.inputs[0].datatype = Datatype::kFp32;
  EXPECT_THAT(FitComplaint(4, request),
              HasSubstr("inference input 'X' data-type is 'FP32', but model "
                        "'m' expects 'INT32'"));
  EXPECT_THAT(FitComplaint(4, Request({5, 1})),
              HasSubstr("inference request batch-size must be <= 4 for 'm'"));
  EXPECT_THAT(FitComplaint(4, Request({0, 1})), HasSubstr("must be >= 1"));
  EXPECT_THAT(FitComplaint(4, Request({})), HasSubstr("has no shape"));
  EXPECT_THAT(FitComplaint(4, Request({1})),
              HasSubstr("unexpected shape for input 'X' for model 'm'. "
                        "Expected [-1,-1], got [1]."));
  EXPECT_THAT(FitComplaint(0, Request({1, 2})),
              HasSubstr("Expected [-1], got [1,2]."));
  request = Request({2, 1});
  request.inputs.push_back({.name = "Y",
                            .datatype = Datatype::kBytes,
                            .shape = {1, 1},
                            .strings = {"a"},
                            .raw = {}});
  EXPECT_THAT(FitComplaint(4, request),
              HasSubstr("input 'Y' batch size does not match"));
}

ModelConfig RawModel(Datatype datatype, std::vector<int64_t> dims) {
  ModelConfig model = Model(4);
  model.inputs = {{.name = "X", .datatype = datatype, .dims = std::move(dims)}};
  return model;
}

TEST(RawRequestTest, TheBodyIsTheOnlyInput) {
  auto request = ParseRawRequest("abcdefgh", RawModel(Datatype::kInt32, {-1}));
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->inputs[0].shape, ElementsAre(1, 2));
  EXPECT_EQ(request->inputs[0].raw.size(), 8u);
  EXPECT_TRUE(request->binary_output);
  request = ParseRawRequest("any text", RawModel(Datatype::kBytes, {1}));
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->inputs[0].strings, ElementsAre("any text"));
  EXPECT_THAT(request->inputs[0].shape, ElementsAre(1, 1));
  request = ParseRawRequest("abcdefgh", RawModel(Datatype::kInt32, {2, -1}));
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->inputs[0].shape, ElementsAre(1, 2, 1));
}

TEST(RawRequestTest, OptionalInputsAreLeftOut) {
  const auto request = ParseRawRequest("abcd", Model(4));
  ASSERT_TRUE(request.ok()) << request.status();
  ASSERT_EQ(request->inputs.size(), 1u);
  EXPECT_EQ(request->inputs[0].name, "X");
}

TEST(RawRequestTest, WhatIsAmbiguousIsRefused) {
  const auto complaint = [](const std::string& body, const ModelConfig& model) {
    return Message(ParseRawRequest(body, model).status());
  };
  ModelConfig both = Model(4);
  both.inputs[1].optional = false;
  EXPECT_THAT(complaint("abcd", both),
              HasSubstr("Raw request must only have 1 input (found 1) to be "
                        "deduced but got 2 inputs in"));
  EXPECT_THAT(complaint("abc", RawModel(Datatype::kInt32, {-1})),
              HasSubstr("input byte size mismatch"));
  EXPECT_THAT(complaint("abcd", RawModel(Datatype::kInt32, {2})),
              HasSubstr("input byte size mismatch"));
  EXPECT_THAT(complaint("abcd", RawModel(Datatype::kInt32, {0, -1})),
              HasSubstr("input byte size mismatch"));
  EXPECT_THAT(complaint("abcd", RawModel(Datatype::kFp16, {-1, -1})),
              HasSubstr("more than one variable-sized dimension"));
  EXPECT_THAT(complaint("abcd", RawModel(Datatype::kBytes, {-1})),
              HasSubstr("the model must have input shape [1]"));
}

TEST(KserveRequestTest, TheCorpusIsReadOrRefused) {
  const std::string folder =
      QUAVER_SOURCE_DIR "/tests/corpora/kserve_request_fuzz";
  int num_good = 0;
  int num_bad = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto body = ReadFile(entry.path().string());
    ASSERT_TRUE(body.ok());
    ++(ParseJson(*body).ok() ? num_good : num_bad);
  }
  EXPECT_GE(num_good, 2);
  EXPECT_GE(num_bad, 2);
}

TEST(KserveDatatypeTest, NamesAndDatatypesMatch) {
  for (int i = 0; i <= static_cast<int>(Datatype::kBytes); ++i) {
    const auto datatype = static_cast<Datatype>(i);
    EXPECT_EQ(DatatypeOf(DatatypeName(datatype)), datatype);
  }
  EXPECT_EQ(DatatypeName(Datatype::kBf16), "BF16");
  EXPECT_EQ(DatatypeSize(Datatype::kBf16), 2u);
  EXPECT_EQ(ConfigTypeName(Datatype::kBytes), "TYPE_STRING");
  EXPECT_EQ(DatatypeOf("fp32"), std::nullopt);
}

}  // namespace
}  // namespace quaver
