// Tests of the comparison of products with fp32's.
#include "quaver/compile/verify.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/engine/plan.h"
#include "quaver/engine/tiny_bart.h"
#include "quaver/engine/tiny_bert.h"

namespace quaver {
namespace {

using testing::HasSubstr;

const TokenLists& Texts() {
  static const TokenLists texts = {{1, 5, 9, 2}, {3}, {7, 7, 2, 8, 4, 6, 1}};
  return texts;
}

class VerifyTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = testing::TempDir() + "/quaver_verify_" + test->name();
    std::filesystem::remove_all(folder_);
    TinyBert().WriteTo(folder_ + "/bert");
    TinyBart().WriteTo(folder_ + "/bart");
  }
  std::unique_ptr<const BertModel> Bert(const Precisions& precisions = {}) {
    return *BertModel::Load(folder_ + "/bert", BestKernels(), precisions);
  }
  std::unique_ptr<const BartModel> Bart(const Precisions& precisions = {}) {
    return *BartModel::Load(folder_ + "/bart", BestKernels(), precisions);
  }
  std::string folder_;
};

TEST_F(VerifyTest, AModelEqualsItself) {
  const auto model = Bart();
  const auto errors = VerifyCorrector(*model, *model, Texts());
  ASSERT_TRUE(errors.ok()) << errors.status();
  ASSERT_EQ(errors->size(), Products(*model).size());
  for (const ProductError& one : *errors) {
    EXPECT_EQ(one.rows, 12u) << one.product;
    EXPECT_EQ(one.own, 0) << one.product;
    EXPECT_EQ(one.whole, 0) << one.product;
    EXPECT_GT(one.least_cosine, 0.999999) << one.product;
  }
}

TEST_F(VerifyTest, OneProductsErrorIsItsOwnAndGoesOnBehindIt) {
  const auto fp32 = Bert();
  const auto model =
      Bert({Precision::kFp32, {{"layers.0.up", Precision::kInt8}}});
  const auto errors = VerifyEncoder(*fp32, *model, Texts());
  ASSERT_TRUE(errors.ok()) << errors.status();
  bool is_behind = false;
  for (const ProductError& one : *errors) {
    if (one.product == "layers.0.up") {
      EXPECT_EQ(one.precision, Precision::kInt8);
      EXPECT_GT(one.own, 1e-4);
      EXPECT_LT(one.own, 0.05);  // steps of a hundredth of the range
      EXPECT_LT(one.least_cosine, 1);
      EXPECT_GT(one.least_cosine, 0.99);
      EXPECT_EQ(one.whole, one.own);
      is_behind = true;
      continue;
    }
    EXPECT_EQ(one.own, 0) << one.product;
    EXPECT_EQ(one.whole > 0, is_behind) << one.product;
  }
  EXPECT_TRUE(is_behind);
}

TEST_F(VerifyTest, EveryProductOfACorrectorIsCompared) {
  const auto fp32 = Bart();
  const auto model = Bart({Precision::kInt8, {}});
  const auto errors = VerifyCorrector(*fp32, *model, Texts());
  ASSERT_TRUE(errors.ok()) << errors.status();
  for (const ProductError& one : *errors) {
    EXPECT_EQ(one.precision, Precision::kInt8) << one.product;
    EXPECT_GT(one.own, 0) << one.product;
    EXPECT_LT(one.own, 0.05) << one.product;
  }
  EXPECT_EQ(errors->front().whole, errors->front().own);
  EXPECT_GT(errors->back().whole, errors->back().own);
}

TEST_F(VerifyTest, TextsThatCannotBeReadAreRefused) {
  const auto model = Bert();
  const std::vector<int32_t> longest(TinyBert::kPositions, 1);
  EXPECT_TRUE(VerifyEncoder(*model, *model, {longest}).ok());
  const std::vector<int32_t> longer(TinyBert::kPositions + 1, 1);
  const TokenLists bad[] = {{}, {{1}, {}}, {longer}};
  for (const TokenLists& texts : bad) {
    const auto errors = VerifyEncoder(*model, *model, texts);
    EXPECT_TRUE(absl::IsInvalidArgument(errors.status()));
    EXPECT_THAT(Message(errors.status()), HasSubstr("verify"));
  }
}

TEST_F(VerifyTest, ModelsOfOtherProductsAreRefused) {
  TinyBert other;
  other.config["num_hidden_layers"] = 1;
  other.WriteTo(folder_ + "/other");
  const auto found = BertModel::Load(folder_ + "/other", BestKernels());
  ASSERT_TRUE(found.ok()) << found.status();
  const auto model = Bert();
  EXPECT_TRUE(absl::IsInvalidArgument(
      VerifyEncoder(*model, **found, Texts()).status()));
}

}  // namespace
}  // namespace quaver
