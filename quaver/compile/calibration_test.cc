// Tests of calibration: what tiny models read, and the cache of it.
#include "quaver/compile/calibration.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/file.h"
#include "quaver/engine/plan.h"
#include "quaver/engine/tiny_bart.h"
#include "quaver/engine/tiny_bert.h"

namespace quaver {
namespace {

using testing::HasSubstr;

class CalibrationTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    const std::string folder =
        testing::TempDir() + "/quaver_calibration_" + test->name();
    std::filesystem::remove_all(folder);
    TinyBert().WriteTo(folder + "/bert");
    TinyBart().WriteTo(folder + "/bart");
    bert_ = *BertModel::Load(folder + "/bert", BestKernels());
    bart_ = *BartModel::Load(folder + "/bart", BestKernels());
    options_.method = ScaleMethod::kMinMax;
    options_.texts = {{0, 7, 8, 9, 2}, {0, 5, 2}, {0, 11, 12, 13, 14, 15, 2}};
    cache_ = folder + "/calibration.txt";
  }

  std::unique_ptr<const BertModel> bert_;
  std::unique_ptr<const BartModel> bart_;
  CalibrationOptions options_;
  std::string cache_;
};

TEST_F(CalibrationTest, MinMaxHoldsAllThatEveryProductReads) {
  const auto ranges = Calibrate(*bart_, "hash", options_);
  ASSERT_TRUE(ranges.ok()) << ranges.status();
  std::map<std::string, size_t> widths;
  for (const Product& product : Products(*bart_)) {
    EXPECT_TRUE(ranges->contains(product.name)) << product.name;
    widths[product.name] = product.K;
  }
  EXPECT_EQ(ranges->size(), widths.size());
  std::map<std::string, InputRange> seen;
  CorrectorReader reader(*bart_, 10);
  for (const auto& ids : options_.texts) {
    reader.Read(ids, [&](const std::string& name, const float* x, size_t M) {
      for (size_t i = 0; i < M * widths.at(name); ++i) {
        seen[name].low = std::min(seen[name].low, x[i]);
        seen[name].high = std::max(seen[name].high, x[i]);
      }
    });
  }
  for (const auto& [name, range] : *ranges) {
    EXPECT_EQ(range.low, seen[name].low) << name;
    EXPECT_EQ(range.high, seen[name].high) << name;
  }
}

TEST_F(CalibrationTest, OtherMethodsStayWithinIt) {
  const auto widest = *Calibrate(*bert_, "hash", options_);
  for (const ScaleMethod method :
       {ScaleMethod::kPercentile, ScaleMethod::kEntropy}) {
    options_.method = method;
    options_.percentile = 95;
    const auto ranges = Calibrate(*bert_, "hash", options_);
    ASSERT_TRUE(ranges.ok()) << ranges.status();
    EXPECT_EQ(ranges->size(), widest.size());
    for (const auto& [name, range] : *ranges) {
      EXPECT_FALSE(range.dynamic()) << name;
      EXPECT_GE(range.low, widest.at(name).low) << name;
      EXPECT_LE(range.high, widest.at(name).high) << name;
    }
    if (method == ScaleMethod::kPercentile) {
      const std::string up = "layers.0.up";
      EXPECT_LT(ranges->at(up).high, widest.at(up).high);
    }
  }
  options_.method = ScaleMethod::kDynamic;
  EXPECT_TRUE(Calibrate(*bert_, "hash", options_)->empty());
}

TEST_F(CalibrationTest, TheCacheIsUsedInPlaceOfTexts) {
  options_.method = ScaleMethod::kPercentile;
  options_.percentile = 99.9;
  options_.cache = cache_;
  const auto found = Calibrate(*bert_, "0123", options_);
  ASSERT_TRUE(found.ok()) << found.status();
  const std::string text = *ReadFile(cache_);
  EXPECT_THAT(text, HasSubstr("model 0123\nmethod percentile 99.9\n"));
  options_.texts.clear();
  const auto again = Calibrate(*bert_, "0123", options_);
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_EQ(again->size(), found->size());
  for (const auto& [name, range] : *found) {
    EXPECT_EQ(again->at(name).low, range.low) << name;
    EXPECT_EQ(again->at(name).high, range.high) << name;
  }
  EXPECT_EQ(ToText(*ParseCalibration(text, "x")), text);
}

TEST_F(CalibrationTest, ACacheOfSomethingElseIsRefused) {
  options_.cache = cache_;
  ASSERT_TRUE(Calibrate(*bert_, "0123", options_).ok());
  const std::string text = *ReadFile(cache_);
  auto status = Calibrate(*bert_, "4567", options_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Message(status), HasSubstr("for the model 0123, not for 4567"));
  options_.method = ScaleMethod::kEntropy;
  status = Calibrate(*bert_, "0123", options_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Message(status), HasSubstr("by min-max, not by entropy"));
  options_.method = ScaleMethod::kMinMax;
  status = Calibrate(*bart_, "0123", options_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(Message(status), HasSubstr("lacks encoder.0.qkv"));
  EXPECT_EQ(*ReadFile(cache_), text);  // as it was
}

TEST_F(CalibrationTest, DamagedCachesAreNamedByLine) {
  const std::string head = "# quaver calibration 1\nmodel a\nmethod min-max\n";
  EXPECT_TRUE(ParseCalibration(head + "up\t-1\t2.5\n", "file").ok());
  for (const auto& [text, line] : std::map<std::string, std::string>{
           {"", "line 1"},
           {"model a\n", "line 1"},
           {"# quaver calibration 1\nmethod a\n", "line 2"},
           {head.substr(0, 30), "line 3"},
           {head + "up\t1\t2\n", "line 4"},
           {head + "up\t-1\t-0.5\n", "line 4"},
           {head + "up\t-1\n", "line 4"},
           {head + "up\t-1\tnan\n", "line 4"},
           {head + "up\t-1\t2x\n", "line 4"},
           {head + "\t-1\t2\n", "line 4"},
           {head + "up\t-1\t2\nup\t-1\t2\n", "line 5"}}) {
    const auto status = ParseCalibration(text, "file").status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(Message(status), HasSubstr("file: " + line)) << text;
  }
}

TEST_F(CalibrationTest, SaysWhatIsWrongWithTexts) {
  options_.texts.push_back({});
  EXPECT_TRUE(
      absl::IsInvalidArgument(Calibrate(*bert_, "hash", options_).status()));
  options_.texts = {std::vector<int32_t>(1'000, 3)};
  EXPECT_TRUE(
      absl::IsInvalidArgument(Calibrate(*bart_, "hash", options_).status()));
  options_.texts.clear();
  EXPECT_TRUE(
      absl::IsFailedPrecondition(Calibrate(*bart_, "hash", options_).status()));
}

}  // namespace
}  // namespace quaver
