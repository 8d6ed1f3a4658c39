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
#include "quaver/artifact/model_files.h"
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

  // Each product costs what `costs` says while it is int8, and a share of it
  // while it is bf16.
  QualityDrop<BartModel> Drop(std::map<std::string, double> costs,
                              double bf16_share = 0) {
    return [this, bf16_share, costs = std::move(costs)](
               const BartModel&,
               const BartModel& model) -> absl::StatusOr<double> {
      ++calls_;
      double drop = 0;
      for (const Product& product : Products(model)) {
        const auto cost = costs.find(product.name);
        if (cost == costs.end()) continue;
        if (product.precision == Precision::kInt8) drop += cost->second;
        if (product.precision == Precision::kBf16) {
          drop += bf16_share * cost->second;
        }
      }
      return drop;
    };
  }

  std::set<std::string> Of(Precision precision, const CompileReport& report) {
    std::set<std::string> names;
    for (const Product& product : report.products) {
      if (product.precision == precision) names.insert(product.name);
    }
    return names;
  }
  std::set<std::string> Fp32Of(const CompileReport& report) {
    return Of(Precision::kFp32, report);
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

TEST_F(CompileTest, TheWorstProductsBecomeBf16WhereThatSuffices) {
  const auto report = CompileCorrector(
      options_,
      Drop({{"output", 3}, {"encoder.0.up", 2}, {"encoder.1.qkv", 0.3}}, 0.02));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(Of(Precision::kBf16, *report),
            (std::set<std::string>{"output", "encoder.0.up"}));
  EXPECT_THAT(Fp32Of(*report), testing::IsEmpty());
  EXPECT_DOUBLE_EQ(report->drop, 0.3 + 0.02 * 5);
}

TEST_F(CompileTest, TheWorstProductsStayInFp32WhereBf16CostsTooMuch) {
  const auto report = CompileCorrector(
      options_,
      Drop({{"output", 3}, {"encoder.0.up", 2}, {"encoder.1.qkv", 0.3}}, 0.2));
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
      if (product.precision != Precision::kFp32) return 7;
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

TEST_F(CompileTest, Bf16MayBeAskedFor) {
  options_.precision = Precision::kBf16;
  const auto refused = CompileCorrector(options_, Drop({{"output", 3}}, 0.5));
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status()));
  EXPECT_THAT(Message(refused.status()), HasSubstr("bf16 costs 1.50 points"));
  calls_ = 0;
  const auto report = CompileCorrector(options_, Drop({{"output", 3}}, 0.1));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(Of(Precision::kBf16, *report).size(), report->products.size());
  EXPECT_DOUBLE_EQ(report->drop, 0.1 * 3);
  EXPECT_EQ(calls_, 1);
}

TEST_F(CompileTest, WithoutASearchAllIsInOnePrecision) {
  options_.search = PrecisionSearch::kNever;
  auto report = CompileCorrector(options_, Drop({{"output", 3}}, 0.1));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(Of(Precision::kBf16, *report).size(), report->products.size());
  EXPECT_DOUBLE_EQ(report->drop, 0.1 * 3);
  EXPECT_EQ(calls_, 2);
  report = CompileCorrector(options_, Drop({{"output", 3}}, 0.5));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(Fp32Of(*report).size(), report->products.size());
  EXPECT_EQ(report->drop, 0);
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

TEST_F(CompileTest, ScalesMayBeFixed) {
  options_.calibration = {.method = ScaleMethod::kEntropy,
                          .texts = {{0, 7, 8, 9, 2}, {0, 5, 2}},
                          .cache = options_.checkpoint + "/ranges.txt"};
  // Quality is that of the scales, too: int8 as it is measured has them.
  size_t fixed = 0;
  const auto drop = [&](const BartModel&,
                        const BartModel& model) -> absl::StatusOr<double> {
    double cost = 0;
    for (const Product& product : Products(model)) {
      if (product.precision != Precision::kInt8) continue;
      if (!product.range.dynamic()) ++fixed;
      if (product.name == "output") cost = 3;
    }
    return cost;
  };
  const auto report = CompileCorrector(options_, drop);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GE(fixed, report->products.size());
  EXPECT_EQ(Of(Precision::kBf16, *report), std::set<std::string>{"output"});
  const auto model = BartModel::Load(options_.plan, BestKernels());
  ASSERT_TRUE(model.ok()) << model.status();
  for (const Product& product : Products(**model)) {
    EXPECT_EQ(product.range.dynamic(), product.precision != Precision::kInt8)
        << product.name;
  }
  EXPECT_EQ((*ModelFiles::Open(options_.plan)).plan()->metadata().at("scales"),
            "entropy");
  options_.calibration.texts.clear();  // the cache is enough
  EXPECT_TRUE(CompileCorrector(options_, drop).ok());
}

TEST_F(CompileTest, FixedScalesAreForInt8) {
  options_.calibration.method = ScaleMethod::kMinMax;
  options_.calibration.texts = {{0, 5, 2}};
  options_.precision = Precision::kBf16;
  const auto report = CompileCorrector(options_, Drop({}));
  EXPECT_TRUE(absl::IsInvalidArgument(report.status()));
  EXPECT_THAT(Message(report.status()), HasSubstr("not for bf16"));
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
