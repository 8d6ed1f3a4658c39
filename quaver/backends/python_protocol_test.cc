// Tests of the messages between the server and Python processes.
#include "quaver/backends/internal/python_protocol.h"

#include <filesystem>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/backends/internal/python_protocol_checks.h"
#include "quaver/base/file.h"

namespace quaver {
namespace {

Tensors Examples() {
  return {{"TEXT", Datatype::kBytes, {2, 1}, {"a", std::string(3, '\0')}, {}},
          {"IDS",
           Datatype::kInt16,
           {3},
           {},
           std::vector<std::byte>(6, std::byte{7})},
          {"SCALAR", Datatype::kBool, {}, {}, {std::byte{1}}},
          {"NONE", Datatype::kFp64, {0, 4}, {}, {}}};
}

TEST(PythonProtocolTest, ReadsWhatItWrote) {
  PythonWriter writer;
  const std::vector<std::string> wanted = {"A", "B"};
  writer.Request({.id = "id",
                  .parameters = R"({"k": 1})",
                  .timeout_us = 42,
                  .outputs = wanted},
                 Examples());
  PythonReader reader(writer.payload());
  EXPECT_EQ(reader.String(), "id");
  EXPECT_EQ(reader.String(), R"({"k": 1})");
  EXPECT_EQ(reader.U64(), 42u);
  const Tensors tensors = reader.ReadTensors();
  EXPECT_EQ(reader.U32(), 2u);
  EXPECT_EQ(reader.String(), "A");
  EXPECT_EQ(reader.String(), "B");
  EXPECT_TRUE(reader.Finish().ok());
  const Tensors examples = Examples();
  ASSERT_EQ(tensors.size(), examples.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ(tensors[i].name, examples[i].name);
    EXPECT_EQ(tensors[i].datatype, examples[i].datatype);
    EXPECT_EQ(tensors[i].shape, examples[i].shape);
    EXPECT_EQ(tensors[i].strings, examples[i].strings);
    EXPECT_EQ(tensors[i].raw, examples[i].raw);
  }
}

TEST(PythonProtocolTest, CarriesErrorsWithTritonsCodes) {
  const std::pair<absl::Status, absl::StatusCode> codes[] = {
      {absl::NotFoundError("m"), absl::StatusCode::kNotFound},
      {absl::InvalidArgumentError("m"), absl::StatusCode::kInvalidArgument},
      {absl::CancelledError("m"), absl::StatusCode::kCancelled},
      {absl::ResourceExhaustedError("m"), absl::StatusCode::kUnavailable},
      {absl::DeadlineExceededError("m"), absl::StatusCode::kUnavailable},
      {absl::AbortedError("m"), absl::StatusCode::kUnknown}};
  for (const auto& [sent, expected] : codes) {
    PythonWriter writer;
    writer.Answer(sent);
    PythonReader reader(writer.payload());
    const absl::Status status = reader.Answer().status();
    EXPECT_EQ(status.code(), expected) << sent;
    EXPECT_EQ(Message(status), "m");
    EXPECT_TRUE(reader.Finish().ok());
  }
}

TEST(PythonProtocolTest, RefusesWhatIsCutOffOrTooLong) {
  PythonWriter writer;
  writer.Answer(Examples());
  const std::string whole = writer.payload();
  for (size_t size = 0; size < whole.size(); ++size) {
    PythonReader reader(std::string_view(whole).substr(0, size));
    (void)reader.Answer();
    EXPECT_FALSE(reader.Finish().ok()) << size;
  }
  const std::string longer = whole + "x";
  PythonReader reader(longer);
  EXPECT_TRUE(reader.Answer().ok());
  EXPECT_FALSE(reader.Finish().ok());
}

std::string OneTensor(uint8_t datatype, const std::vector<int64_t>& shape,
                      const std::string& data) {
  PythonWriter writer;
  writer.U32(1);
  writer.String("T");
  writer.U8(datatype);
  writer.U32(static_cast<uint32_t>(shape.size()));
  for (const int64_t dimension : shape) {
    writer.U64(static_cast<uint64_t>(dimension));
  }
  writer.U64(data.size());
  return writer.Take() + data;
}

TEST(PythonProtocolTest, RefusesTensorsThatLie) {
  constexpr auto kInt32 = static_cast<uint8_t>(Datatype::kInt32);
  constexpr auto kBytes = static_cast<uint8_t>(Datatype::kBytes);
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  const std::pair<std::string, bool> cases[] = {
      {OneTensor(kInt32, {2}, std::string(8, 'x')), true},
      {OneTensor(kInt32, {2}, std::string(7, 'x')), false},
      {OneTensor(kInt32, {3}, std::string(8, 'x')), false},
      {OneTensor(kInt32, {-2, -1}, std::string(8, 'x')), false},
      {OneTensor(kInt32, {kHuge, kHuge, 2}, std::string(8, 'x')), false},
      {OneTensor(kBytes + 1, {1}, "x"), false},
      {OneTensor(kBytes, {1}, std::string("\1\0\0\0x", 5)), true},
      {OneTensor(kBytes, {1}, std::string("\2\0\0\0x", 5)), false},
      {OneTensor(kBytes, {2}, std::string("\1\0\0\0x", 5)), false}};
  for (const auto& [payload, good] : cases) {
    PythonReader reader(payload);
    (void)reader.ReadTensors();
    EXPECT_EQ(reader.Finish().ok(), good);
  }
}

TEST(PythonProtocolTest, ReadsTheFuzzersCorpus) {
  int num_files = 0;
  for (const auto& file : std::filesystem::directory_iterator(
           QUAVER_SOURCE_DIR "/tests/corpora/python_protocol_fuzz")) {
    const auto payload = ReadFile(file.path().string());
    ASSERT_TRUE(payload.ok()) << payload.status();
    CheckPythonAnswer(*payload);
    ++num_files;
  }
  EXPECT_GE(num_files, 6);
}

}  // namespace
}  // namespace quaver
