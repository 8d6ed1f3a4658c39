// Tests of plans and of int8 and bf16 models: as near to fp32 as their numbers
// allow, equal to what was written, damage found before use.
#include "quaver/engine/plan.h"

#include <cmath>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/artifact/artifact.h"
#include "quaver/artifact/model_files.h"
#include "quaver/base/file.h"
#include "quaver/engine/tiny_bart.h"
#include "quaver/engine/tiny_bert.h"

namespace quaver {
namespace {

using testing::HasSubstr;

Precisions AllInt8() { return {Precision::kInt8, {}}; }

class PlanTest : public testing::TestWithParam<const Kernels*> {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = test->name();
    for (char& c : name) c = c == '/' ? '_' : c;
    folder_ = testing::TempDir() + "/quaver_plan_" + name;
    plan_ = folder_ + ".plan";
    std::filesystem::remove_all(folder_);
  }

  std::unique_ptr<const BertModel> Bert(const std::string& path,
                                        const Precisions& precisions = {}) {
    auto loaded = BertModel::Load(path, *GetParam(), precisions);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? *std::move(loaded) : nullptr;
  }
  std::unique_ptr<const BartModel> Bart(const std::string& path,
                                        const Precisions& precisions = {}) {
    auto loaded = BartModel::Load(path, *GetParam(), precisions);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.ok() ? *std::move(loaded) : nullptr;
  }

  std::string folder_, plan_;
};

INSTANTIATE_TEST_SUITE_P(Isa, PlanTest,
                         testing::ValuesIn(AvailableKernels().begin(),
                                           AvailableKernels().end()),
                         [](const auto& info) {
                           return std::string(info.param->name);
                         });

std::vector<float> Embed(const BertModel& model) {
  const std::vector<int32_t> ids = {1, 5, 9, 2, 7, 7, 3};
  const std::vector<uint32_t> offsets = {0, 4, 7};
  BertWorkspace workspace(model, ids.size());
  std::vector<float> embeddings(2 * TinyBert::kWidth);
  model.Encode({ids, offsets}, workspace, embeddings);
  return embeddings;
}

// The logits of the first token.
std::vector<float> Logits(const BartModel& model) {
  BartCache cache(model, {8, 8});
  BartWorkspace workspace(model, 8);
  const std::vector<int32_t> ids = {0, 5, 6, 2}, start = {2};
  const std::vector<uint32_t> offsets = {0, 4}, zero = {0}, one = {0, 1},
                              four = {4};
  std::vector<float> logits(TinyBart::kVocabulary);
  model.Encode({ids, offsets}, zero, workspace, cache);
  model.Decode({start, zero, zero, zero, one, zero, four}, workspace, cache,
               logits);
  return logits;
}

double Cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

TEST_P(PlanTest, LessPrecisionIsNearFp32) {
  TinyBart().WriteTo(folder_);
  const auto wanted = Logits(*Bart(folder_));
  const auto int8 = Logits(*Bart(folder_, AllInt8()));
  EXPECT_NE(int8, wanted);
  EXPECT_GT(Cosine(int8, wanted), 0.999);
  const auto bf16 = Logits(*Bart(folder_, {Precision::kBf16, {}}));
  EXPECT_NE(bf16, wanted);
  EXPECT_GT(Cosine(bf16, wanted), 0.9999);
}

TEST_P(PlanTest, AnEncodersPlanIsTheModel) {
  TinyBert tiny;
  tiny.Wrap("pooling_mode_mean_tokens", /*normalize=*/true);
  tiny.WriteTo(folder_);
  for (const Precision precision : kPrecisions) {
    const auto model = Bert(folder_, {precision, {}});
    ASSERT_TRUE(WritePlan(*model, folder_, {}, plan_).ok());
    const auto planned = Bert(plan_);
    ASSERT_NE(planned, nullptr);
    EXPECT_TRUE(planned->config().normalize);
    EXPECT_EQ(Embed(*planned), Embed(*model)) << Name(precision);
    EXPECT_EQ(*ReadModelKind(plan_), ModelKind::kEncoder);
  }
}

TEST_P(PlanTest, ACorrectorsPlanIsTheModel) {
  TinyBart tiny;
  tiny.generation = {{"forced_bos_token_id", 0}};
  tiny.WriteTo(folder_);
  for (const Precision precision : kPrecisions) {
    const auto model = Bart(folder_, {precision, {}});
    ASSERT_TRUE(WritePlan(*model, folder_, {}, plan_).ok());
    const auto planned = Bart(plan_);
    ASSERT_NE(planned, nullptr);
    EXPECT_EQ(planned->config().forced_bos_id, 0);
    EXPECT_EQ(Logits(*planned), Logits(*model)) << Name(precision);
    EXPECT_EQ(*ReadModelKind(plan_), ModelKind::kCorrector);
  }
}

// Written where panels have another width.
TEST_P(PlanTest, RunsOnOtherTablesThanItWasMadeOn) {
  TinyBart().WriteTo(folder_);
  const auto wanted = Logits(*Bart(folder_));
  for (const Kernels* kernels : AvailableKernels()) {
    const auto maker = BartModel::Load(folder_, *kernels);
    ASSERT_TRUE(WritePlan(**maker, folder_, {}, plan_).ok());
    EXPECT_EQ(Logits(*Bart(plan_)), wanted) << kernels->name;
  }
}

TEST_P(PlanTest, ProductsMayDifferInPrecision) {
  TinyBart().WriteTo(folder_);
  Precisions precisions = AllInt8();
  precisions.exceptions["decoder.0.down"] = Precision::kBf16;
  precisions.exceptions["decoder.1.up"] = Precision::kFp32;
  precisions.exceptions["output"] = Precision::kFp32;
  const auto model = Bart(folder_, precisions);
  ASSERT_TRUE(WritePlan(*model, folder_, {}, plan_).ok());
  const auto planned = Bart(plan_);
  std::vector<std::string> other;
  for (const Product& product : Products(*planned)) {
    if (product.precision == Precision::kInt8) continue;
    other.push_back(product.name + " " + std::string(Name(product.precision)));
  }
  EXPECT_THAT(other, testing::ElementsAre("decoder.0.down bf16",
                                          "decoder.1.up fp32", "output fp32"));
  EXPECT_EQ(Logits(*planned), Logits(*model));
}

TEST_P(PlanTest, RangesOfInputsMayBeFixed) {
  TinyBart().WriteTo(folder_);
  Precisions precisions = AllInt8();
  for (const Product& product : Products(*Bart(folder_))) {
    precisions.ranges[product.name] = {-8, 8};
  }
  const auto wide = Logits(*Bart(folder_, precisions));
  EXPECT_GT(Cosine(wide, Logits(*Bart(folder_))), 0.99);
  precisions.ranges["decoder.0.up"] = {-0.25f, 0.25f};  // much is held
  const auto model = Bart(folder_, precisions);
  const auto held = Logits(*model);
  EXPECT_NE(held, wide);
  ASSERT_TRUE(WritePlan(*model, folder_, {}, plan_).ok());
  const auto planned = Bart(plan_);
  ASSERT_NE(planned, nullptr);
  EXPECT_EQ(Logits(*planned), held);
  for (const Product& product : Products(*planned)) {
    const bool narrow = product.name == "decoder.0.up";
    EXPECT_EQ(product.range.high, narrow ? 0.25f : 8.0f) << product.name;
  }
}

class PlanFileTest : public PlanTest {};
INSTANTIATE_TEST_SUITE_P(Best, PlanFileTest, testing::Values(&BestKernels()));

TEST_P(PlanFileTest, TheSameModelGivesTheSameBytes) {
  TinyBart().WriteTo(folder_);
  ASSERT_TRUE(WritePlan(*Bart(folder_), folder_, {{"a", "b"}}, plan_).ok());
  const std::string first = *ReadFile(plan_);
  ASSERT_TRUE(WritePlan(*Bart(folder_), folder_, {{"a", "b"}}, plan_).ok());
  EXPECT_EQ(*ReadFile(plan_), first);
}

TEST_P(PlanFileTest, CarriesSmallFilesOfTheFolder) {
  TinyBart().WriteTo(folder_);
  ASSERT_TRUE(MakeFolders(folder_ + "/1_Pooling").ok());
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/tokenizer.json", "{}").ok());
  ASSERT_TRUE(
      WriteFileAtomically(folder_ + "/1_Pooling/config.json", "[1]").ok());
  ASSERT_TRUE(WritePlan(*Bart(folder_), folder_, {}, plan_).ok());
  const auto files = ModelFiles::Open(plan_);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(*files->Read("tokenizer.json"), "{}");
  EXPECT_EQ(*files->Read("1_Pooling/config.json"), "[1]");
  EXPECT_FALSE(files->Has("model.safetensors"));
  EXPECT_TRUE(absl::IsNotFound(files->Read("vocab.txt").status()));
  EXPECT_TRUE(absl::IsResourceExhausted(
      files->Read("tokenizer.json", /*max_bytes=*/1).status()));
}

TEST_P(PlanFileTest, ABitFlippedAnywhereIsFound) {
  TinyBart().WriteTo(folder_);
  Precisions precisions = AllInt8();
  precisions.exceptions["encoder.0.up"] = Precision::kBf16;
  ASSERT_TRUE(WritePlan(*Bart(folder_, precisions), folder_, {}, plan_).ok());
  const std::string good = *ReadFile(plan_);
  constexpr size_t kStep = 211;  // some in every tensor of a row or more
  for (size_t place = 0; place < good.size(); place += kStep) {
    std::string bad = good;
    bad[place] = static_cast<char>(bad[place] ^ 4);
    ASSERT_TRUE(WriteFileAtomically(plan_, bad).ok());
    EXPECT_FALSE(BartModel::Load(plan_, *GetParam()).ok()) << "byte " << place;
  }
}

TEST_P(PlanFileTest, RefusesWhatIsNoPlanOfItsKind) {
  TinyBart().WriteTo(folder_);
  ASSERT_TRUE(WritePlan(*Bart(folder_), folder_, {}, plan_).ok());
  EXPECT_THAT(Message(BertModel::Load(plan_, *GetParam()).status()),
              HasSubstr("model_type"));
  const std::string good = *ReadFile(plan_);
  for (const size_t size : {size_t{0}, size_t{7}, good.size() / 2}) {
    ASSERT_TRUE(WriteFileAtomically(plan_, good.substr(0, size)).ok());
    EXPECT_FALSE(BartModel::Load(plan_, *GetParam()).ok()) << size;
  }
  ASSERT_TRUE(WriteFileAtomically(plan_, "not a plan at all").ok());
  EXPECT_FALSE(BartModel::Load(plan_, *GetParam()).ok());
  EXPECT_TRUE(absl::IsNotFound(
      BartModel::Load(folder_ + "/none", *GetParam()).status()));
}

TEST_P(PlanFileTest, RefusesANewerPlan) {
  ArtifactWriter writer(kPlanFormat, kPlanVersion + 1);
  writer.Add("type", std::vector<float>{1});
  ASSERT_TRUE(writer.WriteTo(plan_).ok());
  EXPECT_TRUE(
      absl::IsFailedPrecondition(BartModel::Load(plan_, *GetParam()).status()));
}

TEST_P(PlanFileTest, RefusesRangesThatAreNone) {
  TinyBart().WriteTo(folder_);
  Precisions precisions = AllInt8();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const auto& [low, high] : std::vector<std::pair<float, float>>{
           {1, 2}, {-2, -1}, {-kInfinity, 1}, {-3e38f, 3e38f}}) {
    precisions.ranges["encoder.0.up"] = {low, high};
    ASSERT_TRUE(WritePlan(*Bart(folder_, precisions), folder_, {}, plan_).ok());
    EXPECT_THAT(Message(BartModel::Load(plan_, *GetParam()).status()),
                HasSubstr("no range of encoder.0.up's inputs"));
  }
}

TEST_P(PlanFileTest, ReadsPlansOfTheFirstVersion) {
  TinyBart().WriteTo(folder_);
  const auto model = Bart(folder_, AllInt8());
  ASSERT_TRUE(WritePlan(*model, folder_, {}, plan_).ok());
  const auto plan = Artifact::Open(plan_, kPlanFormat, kPlanVersion);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ArtifactWriter writer(kPlanFormat, 1);
  for (const char* key : {"kind", "columns"}) {
    writer.SetMetadata(key, *(*plan)->Metadata(key));
  }
  for (const auto& [name, view] : (*plan)->tensors()) {
    writer.Add(name, view.type, view.shape, view.bytes);
  }
  const std::string old = folder_ + ".old";
  ASSERT_TRUE(writer.WriteTo(old).ok());
  const auto found = Bart(old);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(Logits(*found), Logits(*model));
}

// Hand-made: sound as a file, not as a model.
TEST_P(PlanFileTest, RefusesPartsThatDoNotFit) {
  TinyBart tiny;
  tiny.WriteTo(folder_);
  for (const char* columns : {"0", "x", "-1", "5000"}) {
    ArtifactWriter writer(kPlanFormat, kPlanVersion);
    writer.SetMetadata("columns", columns);
    ASSERT_TRUE(ModelFiles::Carry(folder_, &writer).ok());
    writer.Add("words", std::vector<float>{1, 2});
    ASSERT_TRUE(writer.WriteTo(plan_).ok());
    EXPECT_THAT(Message(BartModel::Load(plan_, *GetParam()).status()),
                HasSubstr("columns"));
  }
  ArtifactWriter writer(kPlanFormat, kPlanVersion);
  writer.SetMetadata("columns", "32");
  ASSERT_TRUE(ModelFiles::Carry(folder_, &writer).ok());
  writer.Add("words", std::vector<float>{1, 2});
  ASSERT_TRUE(writer.WriteTo(plan_).ok());
  EXPECT_THAT(Message(BartModel::Load(plan_, *GetParam()).status()),
              HasSubstr("words"));
}

}  // namespace
}  // namespace quaver
