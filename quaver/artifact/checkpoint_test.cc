// Tests of single and sharded checkpoint folders.
#include "quaver/artifact/checkpoint.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"

namespace quaver {
namespace {

using testing::HasSubstr;

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/quaver_checkpoint_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    ASSERT_TRUE(MakeFolders(folder_).ok());
  }

  void WriteShard(const std::string& file, const std::string& tensor,
                  float value) {
    ArtifactWriter writer("test", 1);
    writer.Add(tensor, std::vector<float>{value});
    ASSERT_TRUE(writer.WriteTo(folder_ + "/" + file).ok());
  }
  void WriteIndex(const std::string& text) {
    ASSERT_TRUE(
        WriteFileAtomically(folder_ + "/model.safetensors.index.json", text)
            .ok());
  }
  absl::Status OpenStatus() const { return Checkpoint::Open(folder_).status(); }

  std::string folder_;
};

float FirstFloat(const Checkpoint& checkpoint, const std::string& name) {
  return *reinterpret_cast<const float*>(checkpoint.Find(name)->bytes.data());
}

TEST_F(CheckpointTest, ReadsASingleFile) {
  WriteShard("model.safetensors", "a", 1);
  const auto checkpoint = Checkpoint::Open(folder_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  EXPECT_TRUE((*checkpoint)->Has("a"));
  EXPECT_FALSE((*checkpoint)->Has("b"));
  EXPECT_EQ(FirstFloat(**checkpoint, "a"), 1);
  const absl::Status absent = (*checkpoint)->Find("b").status();
  EXPECT_EQ(absent.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Message(absent), folder_ + ": there is no tensor \"b\"");
}

TEST_F(CheckpointTest, ReadsShards) {
  WriteShard("model-00001-of-00002.safetensors", "a", 1);
  WriteShard("model-00002-of-00002.safetensors", "b", 2);
  WriteIndex(R"({"metadata":{"total_size":8},"weight_map":{
    "a":"model-00001-of-00002.safetensors",
    "b":"model-00002-of-00002.safetensors"}})");
  const auto checkpoint = Checkpoint::Open(folder_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  (*checkpoint)->DropPages();
  EXPECT_EQ(FirstFloat(**checkpoint, "a"), 1);
  EXPECT_EQ(FirstFloat(**checkpoint, "b"), 2);
}

TEST_F(CheckpointTest, NamesWhatIsMissing) {
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(OpenStatus()), HasSubstr("neither model.safetensors"));
  WriteIndex(R"({"weight_map":{"a":"gone.safetensors"}})");
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(OpenStatus()), HasSubstr("gone.safetensors"));
}

TEST_F(CheckpointTest, RefusesADamagedIndex) {
  WriteShard("one.safetensors", "a", 1);
  WriteShard("two.safetensors", "a", 2);
  const auto message = [&](const std::string& index) {
    WriteIndex(index);
    EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kInvalidArgument);
    return Message(OpenStatus());
  };
  EXPECT_THAT(message("{"), HasSubstr("index.json: weight_map is not"));
  EXPECT_THAT(message(R"({"weight_map":[]})"), HasSubstr("weight_map is not"));
  EXPECT_THAT(message(R"({"weight_map":{"a":7}})"), HasSubstr("weight_map.a"));
  EXPECT_THAT(message(R"({"weight_map":{"a":"../one.safetensors"}})"),
              HasSubstr("weight_map.a is not the name"));
  EXPECT_THAT(message(R"({"weight_map":{"b":"one.safetensors"}})"),
              HasSubstr("weight_map.b: one.safetensors has no such tensor"));
  EXPECT_THAT(message(R"({"weight_map":{"a":"one.safetensors",
                         "b":"two.safetensors"}})"),
              HasSubstr("\"a\" is in two.safetensors and in another"));
}

TEST_F(CheckpointTest, RefusesADamagedShard) {
  WriteShard("one.safetensors", "a", 1);
  std::filesystem::resize_file(folder_ + "/one.safetensors", 100);
  WriteIndex(R"({"weight_map":{"a":"one.safetensors"}})");
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(OpenStatus()), HasSubstr(folder_ + "/one.safetensors"));
}

}  // namespace
}  // namespace quaver
