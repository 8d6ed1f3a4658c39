// Tests of tensors from and to messages, and of the messages' bounds.
#include "quaver/serve/kserve_grpc_tensors.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/serve/internal/grpc_message.h"
#include "quaver/serve/kserve_datatype.h"

namespace quaver {
namespace {

using inference::InferTensorContents;
using inference::ModelInferRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// One input "X" of any shape, and a tensor of the batch alone.
ModelConfig Model(Datatype datatype) {
  ModelConfig model;
  model.name = "m";
  model.max_batch_size = 4;
  model.inputs = {{.name = "X", .datatype = datatype, .dims = {-1}},
                  {.name = "Y",
                   .datatype = Datatype::kBytes,
                   .dims = {1},
                   .is_scalar = true,
                   .optional = true}};
  model.outputs = model.inputs;
  return model;
}

ModelInferRequest Request(Datatype datatype, int64_t num_elements) {
  ModelInferRequest message;
  auto& input = *message.add_inputs();
  input.set_name("X");
  input.set_datatype(std::string(DatatypeName(datatype)));
  input.add_shape(1);
  input.add_shape(num_elements);
  return message;
}

InferTensorContents& Contents(ModelInferRequest& message) {
  return *message.mutable_inputs(0)->mutable_contents();
}

absl::StatusOr<InferRequest> Read(Datatype datatype,
                                  ModelInferRequest message) {
  return ReadGrpcRequest(message, Model(datatype));
}

std::string ReadError(Datatype datatype, const ModelInferRequest& message) {
  const auto request = Read(datatype, message);
  EXPECT_FALSE(request.ok());
  return request.ok() ? "" : request.status().ToString();
}

template <typename Value>
std::vector<Value> Values(const Tensor& tensor) {
  std::vector<Value> values(tensor.raw.size() / sizeof(Value));
  std::memcpy(values.data(), tensor.raw.data(), tensor.raw.size());
  return values;
}

// The least and the greatest value, through the field of the datatype.
template <typename Value, typename Field>
void CheckExtremes(Datatype datatype, Field add) {
  constexpr Value kMin = std::numeric_limits<Value>::lowest();
  constexpr Value kMax = std::numeric_limits<Value>::max();
  ModelInferRequest message = Request(datatype, 2);
  (Contents(message).*add)(kMin);
  (Contents(message).*add)(kMax);
  const auto request = Read(datatype, message);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(Values<Value>(request->inputs[0]), ElementsAre(kMin, kMax))
      << DatatypeName(datatype);
}

TEST(KserveGrpcTensorsTest, ReadsContentsOfEveryDatatype) {
  using Of = InferTensorContents;
  CheckExtremes<int8_t>(Datatype::kInt8, &Of::add_int_contents);
  CheckExtremes<int16_t>(Datatype::kInt16, &Of::add_int_contents);
  CheckExtremes<int32_t>(Datatype::kInt32, &Of::add_int_contents);
  CheckExtremes<int64_t>(Datatype::kInt64, &Of::add_int64_contents);
  CheckExtremes<uint8_t>(Datatype::kUint8, &Of::add_uint_contents);
  CheckExtremes<uint16_t>(Datatype::kUint16, &Of::add_uint_contents);
  CheckExtremes<uint32_t>(Datatype::kUint32, &Of::add_uint_contents);
  CheckExtremes<uint64_t>(Datatype::kUint64, &Of::add_uint64_contents);
  CheckExtremes<float>(Datatype::kFp32, &Of::add_fp32_contents);
  CheckExtremes<double>(Datatype::kFp64, &Of::add_fp64_contents);
}

TEST(KserveGrpcTensorsTest, ReadsBooleansAndTexts) {
  ModelInferRequest message = Request(Datatype::kBool, 2);
  Contents(message).add_bool_contents(true);
  Contents(message).add_bool_contents(false);
  auto request = Read(Datatype::kBool, message);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(Values<uint8_t>(request->inputs[0]), ElementsAre(1, 0));

  message = Request(Datatype::kBytes, 2);
  Contents(message).add_bytes_contents("abba");
  Contents(message).add_bytes_contents(std::string("\xff\0", 2));
  request = Read(Datatype::kBytes, message);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->inputs[0].strings,
              ElementsAre("abba", std::string("\xff\0", 2)));
}

TEST(KserveGrpcTensorsTest, ReadsRawContents) {
  ModelInferRequest message = Request(Datatype::kFp16, 2);
  message.set_id("7");
  message.add_raw_input_contents("\x01\x02\x03\x04");
  auto& text = *message.add_inputs();
  text.set_name("Y");
  text.set_datatype("BYTES");
  text.add_shape(1);
  text.add_shape(1);
  message.add_raw_input_contents(std::string("\x02\0\0\0ab", 6));
  message.add_outputs()->set_name("Y");
  const auto request = Read(Datatype::kFp16, message);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->id, "7");
  EXPECT_THAT(Values<uint8_t>(request->inputs[0]), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(request->inputs[1].strings, ElementsAre("ab"));
  EXPECT_THAT(request->inputs[1].shape, ElementsAre(1));  // the servable's
  ASSERT_EQ(request->outputs.size(), 1u);
  EXPECT_EQ(request->outputs[0].name, "Y");
}

struct BadRequest {
  Datatype datatype;
  std::function<void(ModelInferRequest&)> spoil;
  const char* error;
};

TEST(KserveGrpcTensorsTest, RefusesWhatDoesNotFit) {
  const auto raw = [](const char* bytes) {
    return
        [bytes](ModelInferRequest& one) { one.add_raw_input_contents(bytes); };
  };
  const std::vector<BadRequest> bad = {
      {Datatype::kInt32, [](auto&) {},
       "expected 2 elements for inference input 'X' for model 'm', got 0"},
      {Datatype::kBytes,
       [](auto& one) { Contents(one).add_bytes_contents("a"); },
       "expected 2 string elements for inference input 'X' for model 'm', got "
       "1"},
      {Datatype::kInt8,
       [](auto& one) {
         Contents(one).add_int_contents(1);
         Contents(one).add_int_contents(128);
       },
       "element 1 of input 'X' is not in the range of INT8"},
      {Datatype::kUint16,
       [](auto& one) {
         Contents(one).add_uint_contents(65536);
         Contents(one).add_uint_contents(0);
       },
       "element 0 of input 'X' is not in the range of UINT16"},
      {Datatype::kFp32, [](auto& one) { Contents(one).add_fp64_contents(1); },
       "not that of its datatype FP32"},
      {Datatype::kBf16, [](auto&) {}, "Please use raw_input_contents"},
      {Datatype::kInt32, raw("1234567"), "Expected 8, got 7"},
      {Datatype::kInt32,
       [](auto& one) {
         one.add_raw_input_contents("12345678");
         Contents(one).add_int_contents(1);
       },
       "contents field must not be specified when using raw_input_contents for "
       "'X' for model 'm'"},
      {Datatype::kInt32,
       [](auto& one) {
         one.add_raw_input_contents("12345678");
         one.add_raw_input_contents("");
       },
       "unexpected additional input data for model 'm'"},
      {Datatype::kInt32,
       [](auto& one) {
         one.add_raw_input_contents("12345678");
         one.add_inputs()->set_name("Y");
       },
       "expected 2 of raw_input_contents for model 'm', one for each input, "
       "got 1"},
      {Datatype::kInt32,
       [](auto& one) { one.mutable_inputs(0)->set_shape(1, -2); },
       "contains one or more invalid dimensions"},
      {Datatype::kInt32,
       [](auto& one) {
         one.mutable_inputs(0)->set_shape(0, 4);
         one.mutable_inputs(0)->set_shape(1, int64_t{1} << 62);
       },
       "exceed maximum size"},
      {Datatype::kInt32,
       [](auto& one) { one.mutable_inputs(0)->set_datatype("INT31"); },
       "invalid datatype \"INT31\" for input X"},
      {Datatype::kInt32,
       [](auto& one) {
         one.mutable_inputs(0)->set_datatype("INT64");
         one.add_raw_input_contents("12345678");
       },
       "data-type is 'INT64', but model 'm' expects 'INT32'"},
      {Datatype::kInt32,
       [](auto& one) {
         one.mutable_inputs(0)->add_shape(5);
         one.add_raw_input_contents("12345678");
       },
       "Expected [-1,-1], got [1,2,5]"},
      {Datatype::kInt32,
       [](auto& one) {
         one.mutable_inputs(0)->set_name("Z");
         one.add_raw_input_contents("12345678");
       },
       "unexpected inference input 'Z' for model 'm'"},
      {Datatype::kInt32,
       [](auto& one) {
         auto& parameters = *one.mutable_inputs(0)->mutable_parameters();
         parameters["shared_memory_region"].set_string_param("r");
       },
       "UNIMPLEMENTED: shared memory is not supported, which 'X' asks for"},
      {Datatype::kInt32,
       [](auto& one) {
         one.add_raw_input_contents("12345678");
         auto& output = *one.add_outputs();
         output.set_name("X");
         (*output.mutable_parameters())["classification"].set_int64_param(1);
       },
       "UNIMPLEMENTED: classification is not supported"},
  };
  for (const BadRequest& one : bad) {
    ModelInferRequest message = Request(one.datatype, 2);
    one.spoil(message);
    EXPECT_THAT(ReadError(one.datatype, message), HasSubstr(one.error));
  }
}

TEST(KserveGrpcTensorsTest, ReadsParameters) {
  ModelInferRequest message = Request(Datatype::kInt8, 0);
  auto& parameters = *message.mutable_parameters();
  parameters["priority"].set_uint64_param(std::numeric_limits<uint64_t>::max());
  parameters["timeout"].set_int64_param(2'500);
  parameters["text"].set_string_param("a \"b\"");
  parameters["flag"].set_bool_param(true);
  parameters["number"].set_double_param(-0.5);
  parameters["count"].set_int64_param(-3);
  parameters["triton_enable_empty_final_response"].set_bool_param(true);
  const auto request = Read(Datatype::kInt8, message);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->priority, std::numeric_limits<int>::max());
  EXPECT_EQ(request->timeout_us, 2'500);
  EXPECT_EQ(request->parameters,
            R"({"count":-3,"flag":true,"number":-0.5,"text":"a \"b\""})");
}

TEST(KserveGrpcTensorsTest, RefusesParameters) {
  const auto error = [](const std::string& key, auto set) {
    ModelInferRequest message = Request(Datatype::kInt8, 0);
    set((*message.mutable_parameters())[key]);
    return ReadError(Datatype::kInt8, message);
  };
  EXPECT_THAT(error("triton_x", [](auto& one) { one.set_bool_param(true); }),
              HasSubstr("parameter keys starting with 'triton_' are reserved"));
  EXPECT_THAT(error("timeout", [](auto& one) { one.set_int64_param(-1); }),
              HasSubstr("invalid value for 'timeout' parameter"));
  EXPECT_THAT(error("priority", [](auto& one) { one.set_string_param("1"); }),
              HasSubstr("invalid value for 'priority' parameter"));
  EXPECT_THAT(error("x", [](auto& one) { one.set_double_param(kNaN); }),
              HasSubstr("parameter 'x' has invalid type"));
  EXPECT_THAT(error("x", [](auto&) {}), HasSubstr("'x' has invalid type"));
}

TEST(KserveGrpcTensorsTest, WritesWhatWasAskedFor) {
  const ModelConfig model = Model(Datatype::kInt16);
  Tensor x = {.name = "X",
              .datatype = Datatype::kInt16,
              .shape = {1, 1},
              .strings = {},
              .raw = {std::byte{7}, std::byte{0}}};
  Tensor y = {.name = "Y",
              .datatype = Datatype::kBytes,
              .shape = {1},
              .strings = {"ab"},
              .raw = {}};
  inference::ModelInferResponse answer;
  InferRequest request;
  request.id = "one";
  WriteGrpcAnswer(model, request, {x, y}, answer);
  EXPECT_EQ(answer.model_name(), "m");
  EXPECT_EQ(answer.model_version(), "1");
  EXPECT_EQ(answer.id(), "one");
  ASSERT_EQ(answer.outputs_size(), 2);
  EXPECT_EQ(answer.outputs(0).datatype(), "INT16");
  EXPECT_THAT(answer.outputs(0).shape(), ElementsAre(1, 1));
  EXPECT_THAT(answer.outputs(1).shape(), ElementsAre(1, 1));  // a dim of [1]
  EXPECT_THAT(
      answer.raw_output_contents(),
      ElementsAre(std::string("\x07\0", 2), std::string("\x02\0\0\0ab", 6)));

  request.outputs = {{"Y", std::nullopt}};
  answer.Clear();
  WriteGrpcAnswer(model, request, {x, y}, answer);
  ASSERT_EQ(answer.outputs_size(), 1);
  EXPECT_EQ(answer.outputs(0).name(), "Y");
}

grpc::ByteBuffer Bytes(const std::string& text) {
  const grpc::Slice slice(text);
  return {&slice, 1};
}

// The fuzzer's start: "raw" and so on, some of them bad.
TEST(KserveGrpcTensorsTest, TheCorpusIsReadOrRefused) {
  ModelConfig model = Model(Datatype::kFp32);
  model.inputs[0].name = "FP32";
  model.inputs[1] = {
      .name = "BYTES", .datatype = Datatype::kBytes, .dims = {-1}};
  const std::string folder =
      QUAVER_SOURCE_DIR "/tests/corpora/kserve_grpc_fuzz";
  int num_messages = 0;
  std::vector<std::string> good;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto bytes = ReadFile(entry.path().string());
    ASSERT_TRUE(bytes.ok());
    ModelInferRequest message;
    if (!ParseMessage(Bytes(*bytes), message).ok()) continue;
    ++num_messages;
    if (ReadGrpcRequest(message, model).ok()) {
      good.push_back(entry.path().filename());
    }
  }
  EXPECT_GE(num_messages, 6);
  EXPECT_THAT(good, ElementsAre("raw"));
}

TEST(GrpcMessageTest, LargeMessagesAreReadAndBadOnesAreNot) {
  ModelInferRequest message = Request(Datatype::kBytes, 1);
  message.add_raw_input_contents(std::string(1 << 20, 'a'));
  ModelInferRequest read;
  ASSERT_TRUE(ParseMessage(WriteMessage(message), read).ok());
  EXPECT_EQ(read.SerializeAsString(), message.SerializeAsString());

  const std::string bytes = message.SerializeAsString();
  for (const std::string& spoilt :
       {bytes.substr(0, bytes.size() - 1), bytes + "\x0b", std::string("\xff"),
        std::string(1 << 20, '\xff')}) {
    EXPECT_THAT(ParseMessage(Bytes(spoilt), read).ToString(),
                HasSubstr("the request is no inference.ModelInferRequest"));
  }
}

TEST(GrpcMessageTest, PartsAreCountedBeforeMemoryIsTaken) {
  // An empty input, an empty text of an input, an unknown number: 2 bytes each.
  std::string texts;
  for (int i = 0; i <= kMaxMessageParts; ++i) texts += std::string("\x42\0", 2);
  ModelInferRequest outer;
  auto& input = *outer.add_inputs();
  ASSERT_TRUE(input.mutable_contents()->ParseFromString(texts));
  for (const char* part : {"\x2a", "\x70"}) {
    std::string bytes;
    for (int i = 0; i <= kMaxMessageParts; ++i) {
      bytes += std::string(part) + '\0';
    }
    ModelInferRequest read;
    EXPECT_THAT(ParseMessage(Bytes(bytes), read).ToString(),
                HasSubstr("strings and messages"));
  }
  ModelInferRequest read;
  EXPECT_THAT(ParseMessage(WriteMessage(outer), read).ToString(),
              HasSubstr("strings and messages"));
  // Input and contents are parts, too.
  auto& left = *input.mutable_contents()->mutable_bytes_contents();
  for (int i = 0; i < 3; ++i) left.RemoveLast();
  EXPECT_TRUE(ParseMessage(WriteMessage(outer), read).ok());
}

TEST(GrpcMessageTest, StatusesAreTritons) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_EQ(ToGrpc(absl::DeadlineExceededError("late")).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ToGrpc(absl::OutOfRangeError("large")).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ToGrpc(absl::NotFoundError("none")).error_message(), "none");
  EXPECT_LT(ToGrpc(absl::InternalError(std::string(1 << 20, 'x')))
                .error_message()
                .size(),
            2'100u);
}

}  // namespace
}  // namespace quaver
