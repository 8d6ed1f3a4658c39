// Tests of the reader and the writer: round trips and every kind of damage.
#include "quaver/artifact/artifact.h"

#include <cstring>
#include <filesystem>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/artifact/internal/fuzz_checks.h"
#include "quaver/base/file.h"

namespace quaver {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr char kFormat[] = "quaver.test";

ArtifactWriter SampleWriter() {
  ArtifactWriter writer(kFormat, 2);
  writer.SetMetadata("note", "h\u00e9llo \"quoted\"");
  writer.Add("codes", std::vector<uint8_t>{1, 2, 3});
  writer.Add<float>("matrix", {2, 3}, std::vector<float>{0, 1, 2, 3, 4, 1.5f});
  writer.Add("empty", std::vector<int64_t>{});
  return writer;
}

// A safetensors file with this header and this many bytes of data.
std::string File(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  std::string file(reinterpret_cast<const char*>(&length), sizeof(length));
  return file + header + std::string(data_bytes, '\1');
}

absl::Status ParseForeign(const std::string& file) {
  return Artifact::FromBytes(file, "", 0).status();
}

absl::Status ParseOurs(const std::string& file) {
  return Artifact::FromBytes(file, kFormat, 2).status();
}

std::string Replace(std::string text, const std::string& from,
                    const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ArtifactTest, ReadsBackWhatWasWritten) {
  const auto file = Artifact::FromBytes(SampleWriter().Serialize(), kFormat, 2);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->tensors().size(), 3u);
  EXPECT_EQ(*(*file)->Metadata("note"), "h\u00e9llo \"quoted\"");
  EXPECT_EQ((*file)->Metadata("nothing").status().code(),
            absl::StatusCode::kNotFound);
  const auto codes = (*file)->Get<uint8_t>("codes", {-1});
  ASSERT_TRUE(codes.ok()) << codes.status();
  EXPECT_THAT(*codes, testing::ElementsAre(1, 2, 3));
  const auto matrix = (*file)->Get<float>("matrix", {-1, 3});
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  EXPECT_THAT(*matrix, testing::ElementsAre(0, 1, 2, 3, 4, 1.5f));
  const auto empty = (*file)->Get<int64_t>("empty", {0});
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_TRUE(empty->empty());
}

TEST(ArtifactTest, TypedAccessNamesWhatDiffers) {
  const auto file = Artifact::FromBytes(SampleWriter().Serialize(), kFormat, 2);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(Message((*file)->Get<int8_t>("codes", {3}).status()),
            "memory: tensor \"codes\" is U8 [3], not I8 [3]");
  EXPECT_EQ(Message((*file)->Get<float>("matrix", {2, 2}).status()),
            "memory: tensor \"matrix\" is F32 [2, 3], not F32 [2, 2]");
  EXPECT_FALSE((*file)->Get<float>("matrix", {6}).ok());
  const auto absent = (*file)->Find("absent").status();
  EXPECT_EQ(absent.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(absent), HasSubstr("\"absent\""));
}

TEST(ArtifactTest, SameCallsGiveSameBytes) {
  EXPECT_EQ(SampleWriter().Serialize(), SampleWriter().Serialize());
}

TEST(ArtifactTest, TensorsLieAtMultiplesOf64) {
  const std::string path = testing::TempDir() + "/quaver_artifact_aligned";
  ASSERT_TRUE(SampleWriter().WriteTo(path).ok());
  const auto mapped = Artifact::Open(path, kFormat, 2);
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  const auto copied =
      Artifact::FromBytes(SampleWriter().Serialize(), kFormat, 2);
  ASSERT_TRUE(copied.ok()) << copied.status();
  for (const auto& file : {*mapped, *copied}) {
    for (const auto& [name, view] : file->tensors()) {
      EXPECT_EQ(reinterpret_cast<uintptr_t>(view.bytes.data()) % 64, 0u)
          << file->path() << " " << name;
    }
  }
  (*mapped)->DropPages();
  EXPECT_EQ((*mapped)->Get<uint8_t>("codes", {3})->back(), 3);
}

TEST(ArtifactTest, APlainFileHasNothingOfOurs) {
  ArtifactWriter writer = ArtifactWriter::Plain();
  writer.Add("codes", std::vector<uint8_t>{1, 2, 3});  // would leave a gap
  writer.Add<float>("matrix", {2, 1}, std::vector<float>{0.5f, -2});
  EXPECT_THAT(writer.Serialize(), testing::Not(HasSubstr("_pad.")));
  const std::string path = testing::TempDir() + "/quaver_artifact_plain";
  ASSERT_TRUE(writer.WriteTo(path).ok());
  const auto file = Artifact::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT((*file)->metadata(), UnorderedElementsAre(Pair("format", "pt")));
  EXPECT_EQ((*file)->tensors().size(), 2u);
  EXPECT_THAT(*(*file)->Get<uint8_t>("codes", {3}),
              testing::ElementsAre(1, 2, 3));
  const auto matrix = (*file)->Find("matrix");
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  EXPECT_EQ(matrix->type, DataType::kF32);
  EXPECT_THAT(matrix->shape, testing::ElementsAre(2, 1));
  // Three bytes behind "codes": not aligned, so copied out.
  std::vector<float> values(2);
  std::memcpy(values.data(), matrix->bytes.data(), sizeof(float) * 2);
  EXPECT_THAT(values, testing::ElementsAre(0.5f, -2));
}

TEST(ArtifactTest, EveryFlippedBitIsNoticed) {
  const std::string good = SampleWriter().Serialize();
  ASSERT_TRUE(ParseOurs(good).ok());
  for (size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    const absl::Status status = ParseOurs(bad);
    // White space around the header's JSON says nothing: a tab is as good.
    if (status.ok()) {
      EXPECT_EQ(good[bit / 8], ' ') << "byte " << bit / 8;
    }
  }
}

TEST(ArtifactTest, EveryTruncationIsNoticed) {
  const std::string good = SampleWriter().Serialize();
  for (size_t bytes = 0; bytes < good.size(); ++bytes) {
    EXPECT_FALSE(ParseForeign(good.substr(0, bytes)).ok()) << bytes;
  }
  EXPECT_FALSE(ParseForeign(good + "x").ok());
}

TEST(ArtifactTest, ChecksFormatVersionAndChecksum) {
  const std::string good = SampleWriter().Serialize();
  EXPECT_EQ(Message(Artifact::FromBytes(good, "quaver.other", 2).status()),
            "memory: __metadata__.format is \"quaver.test\", not "
            "\"quaver.other\"");
  const absl::Status newer = Artifact::FromBytes(good, kFormat, 1).status();
  EXPECT_EQ(newer.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(newer), HasSubstr("newer program (version 2"));
  EXPECT_TRUE(Artifact::FromBytes(good, kFormat, 3).ok());
  std::string damaged = good;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  EXPECT_EQ(ParseOurs(damaged).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ParseOurs(Replace(good, "[2,3]", "[3,2]")).code(),
            absl::StatusCode::kDataLoss);
  EXPECT_THAT(
      Message(ParseOurs(Replace(good, R"("version":"2")", R"("version":"x")"))),
      HasSubstr("__metadata__.version \"x\""));
}

TEST(ArtifactTest, OpenNamesTheFile) {
  const std::string path = testing::TempDir() + "/quaver_artifact_foreign";
  ASSERT_TRUE(WriteFileAtomically(path, "PK\3\4 no safetensors").ok());
  const absl::Status foreign = Artifact::Open(path).status();
  EXPECT_EQ(foreign.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(foreign), HasSubstr(path));
  EXPECT_EQ(Artifact::Open(path + "_absent").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_FALSE(Artifact::Open(testing::TempDir()).ok());
}

TEST(ArtifactTest, ReadsAFileOfAnotherWriter) {
  const auto file = Artifact::FromBytes(
      File(R"({"__metadata__":{"format":"pt"},)"
           R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]},)"
           R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   )",
           8),
      "", 0);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT((*file)->metadata(), UnorderedElementsAre(Pair("format", "pt")));
  EXPECT_EQ((*file)->Find("a")->num_elements(), 1);
  EXPECT_EQ((*file)->Find("b")->num_elements(), 2);
}

struct BadHeader {
  const char* header;
  size_t data_bytes;
  const char* message;
};

class BadHeaderTest : public testing::TestWithParam<BadHeader> {};

TEST_P(BadHeaderTest, IsRefusedByField) {
  const BadHeader& bad = GetParam();
  const absl::Status status = ParseForeign(File(bad.header, bad.data_bytes));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), HasSubstr(bad.message));
}

constexpr BadHeader kBadHeaders[] = {
    {"[]", 0, "not a JSON object"},
    {"{", 0, "not a JSON object"},
    {"{\"a\":1}", 0, "tensor \"a\": its entry is not an object"},
    {R"({"__metadata__":[]})", 0, "__metadata__ is not an object"},
    {R"({"__metadata__":{"a":1}})", 0, "__metadata__.a is not a string"},
    {R"({"a":{"dtype":7,"shape":[],"data_offsets":[0,4]}})", 4,
     "dtype is not a string"},
    {R"({"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}})", 4,
     "dtype \"F8_E4M3\" is not supported"},
    {R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4,
     "shape is not an array"},
    {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4,
     "shape holds something else than a count"},
    {R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4,
     "shape holds something else than a count"},
    {R"({"a":{"dtype":"F32","shape":[99999999999999999999],)"
     R"("data_offsets":[0,4]}})",
     4, "shape holds something else than a count"},
    {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],)"
     R"("data_offsets":[0,0]}})",
     0, "does not fill data_offsets"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4,
     "shape [2] of F32 does not fill data_offsets [0, 4]"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4,
     "do not lie within the 4 bytes"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 3,
     "is the file truncated?"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 8,
     "do not lie within"},
    {R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
     R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
     6, "overlap"},
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
     R"("b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}})",
     6, "leave a hole at byte 2"},
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 3,
     "end at byte 2 of 3"},
};

INSTANTIATE_TEST_SUITE_P(All, BadHeaderTest, testing::ValuesIn(kBadHeaders));

TEST(ArtifactTest, RefusesAHeaderLengthThatDoesNotFit) {
  std::string file = File("{}", 0);
  for (const uint64_t length : {uint64_t{3}, uint64_t{1} << 40, ~uint64_t{0}}) {
    std::memcpy(file.data(), &length, sizeof(length));
    EXPECT_THAT(Message(ParseForeign(file)), HasSubstr("header length"));
  }
}

TEST(ArtifactTest, DeepNestingIsRefused) {
  EXPECT_FALSE(ParseForeign(File(std::string(1 << 20, '['), 0)).ok());
}

TEST(CorpusTest, Safetensors) {
  int files = 0;
  int valid = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           QUAVER_SOURCE_DIR "/tests/corpora/safetensors_fuzz")) {
    const auto content = ReadFile(entry.path());
    ASSERT_TRUE(content.ok()) << content.status();
    valid += CheckSafetensors(*content) ? 1 : 0;
    ++files;
  }
  EXPECT_GT(valid, 0);
  EXPECT_GT(files, valid);
}

}  // namespace
}  // namespace quaver
