// Tests of the choice of precisions, with quality measures that are plain
// functions of it.
#include "quaver/compile/compile.h"

#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/artifact/artifact.h"
#include "quaver/artifact/model_identity.h"
#include "quaver/engine/tiny_bart.h"

namespace quaver {
namespace {

using testing::HasSubstr;

class CompileTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    const std::string folder =
        testing::TempDir() + "/quaver_compile_" + test->name();
    std::filesystem::remove_all(folder);
    TinyBart().WriteTo(folder);
    options_ = {.checkpoint = folder, .plan = folder + ".plan"};
    std::filesystem::remove(options_.plan);
  }

  // Each product costs what `costs` says while it is int8.
  QualityDrop<BartModel> Drop(std::map<std::string, double> costs) {
    return [this, costs = std::move(costs)](
               const BartModel&,
               const BartModel& model) -> absl::StatusOr<double> {
      ++calls_;
      double drop = 0;
      for (const Product& product : Products(model)) {
        const auto cost = costs.find(product.name);
        if (product.precision == Precision::kInt8 && cost != costs.end()) {
          drop += cost->second;
        }
      }
      return drop;
    };
  }

  std::set<std::string> Fp32Of(const CompileReport& report) {
    std::set<std::string> names;
    for (const Product& product : report.products) {
      if (product.precision == Precision::kFp32) names.insert(product.name);
    }
    return names;
  }

  CompileOptions options_;
  int calls_ = 0;
};

TEST_F(CompileTest, AllIsInt8WhereQualityAllows) {
  const auto report = CompileCorrector(options_, Drop({{"output", 0.4}}));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(Fp32Of(*report), testing::IsEmpty());
  EXPECT_DOUBLE_EQ(report->drop, 0.4);
  EXPECT_TRUE(report->ranked.empty());
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(report->plan_bytes, std::filesystem::file_size(options_.plan));
  const auto plan = IdentifyModel(options_.plan);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->hash, IdentifyModel(options_.checkpoint)->hash);
}

TEST_F(CompileTest, TheWorstProductsStayInFp32) {
  const auto report = CompileCorrector(
      options_,
      Drop({{"output", 3}, {"encoder.0.up", 2}, {"encoder.1.qkv", 0.3}}));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(Fp32Of(*report), (std::set<std::string>{"output", "encoder.0.up"}));
  EXPECT_DOUBLE_EQ(report->drop, 0.3);
  EXPECT_EQ(report->ranked[0].product, "output");
  EXPECT_EQ(report->ranked[2].product, "encoder.1.qkv");
}

TEST_F(CompileTest, AllStaysInFp32WhereNothingHelps) {
  options_.max_drop = 0;
  const auto drop = [](const BartModel&,
                       const BartModel& model) -> absl::StatusOr<double> {
    for (const Product& product : Products(model)) {
      if (product.precision == Precision::kInt8) return 7;
    }
    return 0;
  };
  const auto report = CompileCorrector(options_, drop);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(Fp32Of(*report).size(), report->products.size());
  EXPECT_EQ(report->drop, 0);
}

TEST_F(CompileTest, AnAskedForPrecisionIsKeptOrRefused) {
  options_.precision = Precision::kInt8;
  const auto refused = CompileCorrector(options_, Drop({{"output", 3}}));
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status()));
  EXPECT_THAT(Message(refused.status()), HasSubstr("3.00 points"));
  EXPECT_FALSE(std::filesystem::exists(options_.plan));
  options_.precision = Precision::kFp32;
  calls_ = 0;
  const auto report = CompileCorrector(options_, Drop({{"output", 3}}));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->measured);
  EXPECT_EQ(calls_, 0);
}

TEST_F(CompileTest, WithoutASearchAllOrNothingIsInt8) {
  options_.search = PrecisionSearch::kNever;
  const auto report = CompileCorrector(options_, Drop({{"output", 3}}));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(Fp32Of(*report).size(), report->products.size());
  EXPECT_EQ(calls_, 1);
}

TEST_F(CompileTest, ASearchMayBeAskedFor) {
  options_.search = PrecisionSearch::kAlways;
  std::set<std::string> stages;
  options_.progress = [&](const std::string& what, int done, int all) {
    EXPECT_LE(done, all);
    stages.insert(what);
  };
  const auto report = CompileCorrector(options_, Drop({{"output", 0.1}}));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->ranked.size(), report->products.size());
  EXPECT_THAT(Fp32Of(*report), testing::IsEmpty());
  EXPECT_EQ(stages.size(), 2u);
}

TEST_F(CompileTest, WeightsThatCannotBeAreNamed) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(), -2e4f}) {
    TinyBart().WriteTo(options_.checkpoint);
    std::fstream file(options_.checkpoint + "/model.safetensors",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-4, std::ios::end);
    file.write(reinterpret_cast<const char*>(&bad), sizeof(bad));
    file.close();
    const auto report = CompileCorrector(options_, Drop({}));
    EXPECT_TRUE(absl::IsInvalidArgument(report.status())) << bad;
    EXPECT_THAT(Message(report.status()), HasSubstr("tensor \"model.shared"));
  }
}

TEST_F(CompileTest, WeightsOfHalfTheWidthAreReadToo) {
  const std::string path = options_.checkpoint + "/model.safetensors";
  ArtifactWriter writer = ArtifactWriter::Plain();
  const std::vector<uint16_t> nan = {0x3F80, 0x7FC0};
  writer.Add("bias", DataType::kBF16, {2}, std::as_bytes(std::span(nan)));
  ASSERT_TRUE(writer.WriteTo(path).ok());
  const auto report = CompileCorrector(options_, Drop({}));
  EXPECT_THAT(Message(report.status()), HasSubstr("tensor \"bias\" holds nan"));
}

TEST_F(CompileTest, AFailingMeasureFailsAll) {
  const auto report = CompileCorrector(
      options_,
      [](const BartModel&, const BartModel&) -> absl::StatusOr<double> {
        return absl::DataLossError("no data");
      });
  EXPECT_EQ(Message(report.status()), "no data");
}

}  // namespace
}  // namespace quaver
