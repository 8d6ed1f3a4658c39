// Tests of buckets of rows, and of choices that plans carry.
#include "quaver/engine/tactics.h"

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/engine/plan.h"
#include "quaver/engine/tiny_bert.h"

namespace quaver {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

TEST(RowBucketTest, BucketsCoverAllRowsInOrder) {
  const std::vector<size_t> ends = {1,  2,  3,  4,  6,   8,   12,  16,  24,
                                    32, 48, 64, 96, 128, 192, 256, 384, 512};
  ASSERT_EQ(ends.size(), kRowBuckets);
  size_t bucket = 0;
  for (size_t M = 1; M <= 512; ++M) {
    if (M > ends[bucket]) ++bucket;
    EXPECT_EQ(RowBucket(M), bucket) << M;
    EXPECT_EQ(BucketRows(bucket), ends[bucket]);
  }
  EXPECT_EQ(RowBucket(513), kRowBuckets - 1);
  EXPECT_EQ(RowBucket(size_t{1} << 40), kRowBuckets - 1);
}

TEST(ProcessorKeyTest, IsOneLineAndStaysTheSame) {
  EXPECT_EQ(ProcessorKey(), ProcessorKey());
  EXPECT_THAT(
      ProcessorKey(),
      ContainsRegex(" [0-9]+-[0-9]+-[0-9]+; L1 [0-9]+K L2 [0-9]+K L3 "));
  EXPECT_EQ(ProcessorKey().find_first_of("\t\n"), std::string::npos);
}

// A choice of every way that a table knows, in turn.
RowTactics Mixed(const Kernels& kernels, Precision precision) {
  RowTactics tactics;
  const size_t count = TacticNames(kernels, precision).size();
  for (size_t bucket = 0; bucket < kRowBuckets; ++bucket) {
    tactics.of[bucket] = static_cast<uint8_t>((bucket + 1) % count);
  }
  return tactics;
}

class TacticTableTest : public testing::TestWithParam<const Kernels*> {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = test->name();
    for (char& c : name) c = c == '/' ? '_' : c;
    folder_ = testing::TempDir() + "/quaver_tactics_" + name;
    std::filesystem::remove_all(folder_);
    TinyBert().WriteTo(folder_);
  }

  // All shapes of the tiny encoder.
  TacticTable Table(const std::string& processor) const {
    TacticTable table(processor);
    const auto model = Load(folder_);
    for (const Product& product : Products(*model)) {
      table.Set({product.precision, product.N, product.K},
                Mixed(*GetParam(), product.precision));
    }
    return table;
  }

  std::unique_ptr<const BertModel> Load(const std::string& path) const {
    const Precisions precisions{Precision::kInt8,
                                {{"layers.0.up", Precision::kFp32},
                                 {"layers.0.down", Precision::kBf16}}};
    auto model = BertModel::Load(path, *GetParam(), precisions);
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? *std::move(model) : nullptr;
  }
  absl::Status Write(const std::string& text) const {
    return WritePlan(*Load(folder_), folder_,
                     {{std::string("tactics.") + GetParam()->name, text}},
                     Plan());
  }
  std::string Plan() const { return folder_ + ".plan"; }

  std::string folder_;
};

INSTANTIATE_TEST_SUITE_P(Isa, TacticTableTest,
                         testing::ValuesIn(AvailableKernels().begin(),
                                           AvailableKernels().end()),
                         [](const auto& info) {
                           return std::string(info.param->name);
                         });

// More rows than one: every token but the last is another batch's.
std::vector<float> Embed(const BertModel& model, size_t num_tokens) {
  const std::vector<int32_t> ids(num_tokens, 7);
  const std::vector<uint32_t> offsets = {0, static_cast<uint32_t>(num_tokens)};
  BertWorkspace workspace(model, ids.size());
  std::vector<float> embedding(TinyBert::kWidth);
  model.Encode({ids, offsets}, workspace, embedding);
  return embedding;
}

TEST_P(TacticTableTest, TextIsReadBack) {
  const TacticTable table = Table("a cpu; L1 32K");
  const std::string text = table.Text(*GetParam());
  const auto read = TacticTable::Parse(text, *GetParam());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->processor(), "a cpu; L1 32K");
  EXPECT_EQ(read->Text(*GetParam()), text);
  const size_t D = TinyBert::kWidth;
  EXPECT_EQ(read->Of({Precision::kInt8, 3 * D, D}),
            Mixed(*GetParam(), Precision::kInt8));
  EXPECT_EQ(read->Of({Precision::kInt8, 3, 4}), RowTactics{});
}

TEST_P(TacticTableTest, APlanComputesAsItWasToldAndGivesTheSameBits) {
  ASSERT_TRUE(Write(Table(ProcessorKey()).Text(*GetParam())).ok());
  const auto model = Load(folder_);
  const auto planned = Load(Plan());
  for (const Product& product : Products(*planned)) {
    EXPECT_EQ(product.tactics, Mixed(*GetParam(), product.precision));
  }
  for (const size_t num_tokens : {1, 2, 5, 11, 17, 39}) {
    EXPECT_EQ(Embed(*planned, num_tokens), Embed(*model, num_tokens));
  }
}

TEST_P(TacticTableTest, AnotherProcessorOrTableGoesTheStandardWay) {
  ASSERT_TRUE(Write(Table("another").Text(*GetParam())).ok());
  for (const Product& product : Products(*Load(Plan()))) {
    EXPECT_EQ(product.tactics, RowTactics{});
  }
  ASSERT_TRUE(
      WritePlan(*Load(folder_), folder_, {{"tactics.none", "x"}}, Plan()).ok());
  for (const Product& product : Products(*Load(Plan()))) {
    EXPECT_EQ(product.tactics, RowTactics{});
  }
}

// Of a program that knows more ways.
TEST_P(TacticTableTest, AWayThatIsNotKnownIsTheStandardOne) {
  const auto read =
      TacticTable::Parse("cpu\nint8 72x24 1=zmm.best 2=none\n", *GetParam());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->Of({Precision::kInt8, 72, 24}), RowTactics{});
}

TEST_P(TacticTableTest, LinesThatAreNoneAreRefused) {
  for (const char* bad :
       {"int8", "int8 72", "int9 72x24 1=x", "int8 72x 1=x", "int8 ax24 1=x",
        "int8 72x24 1", "int8 72x24 5=x", "int8 72x24 0=x", "int8 72x24 x=x",
        "int8 72x24 =x"}) {
    ASSERT_TRUE(Write(ProcessorKey() + "\n" + bad + "\n").ok());
    const auto model = BertModel::Load(Plan(), *GetParam());
    EXPECT_TRUE(absl::IsInvalidArgument(model.status())) << bad;
    EXPECT_THAT(Message(model.status()), HasSubstr("no line of tactics"));
    EXPECT_THAT(Message(model.status()), HasSubstr(Plan()));
  }
}

TEST_P(TacticTableTest, TheCorpusIsReadOrRefused) {
  int num_good = 0, num_bad = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           QUAVER_SOURCE_DIR "/tests/corpora/tactics_fuzz")) {
    const auto table =
        TacticTable::Parse(*ReadFile(entry.path().string()), *GetParam());
    ++(table.ok() ? num_good : num_bad);
  }
  EXPECT_GE(num_good, 3);
  EXPECT_GE(num_bad, 3);
}

}  // namespace
}  // namespace quaver
