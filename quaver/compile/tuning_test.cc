// Tests of the choice of tactics, with measurements that are plain functions.
#include "quaver/compile/tuning.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/artifact/model_files.h"
#include "quaver/base/file.h"
#include "quaver/compile/compile.h"
#include "quaver/engine/tiny_bart.h"

namespace quaver {
namespace {

using testing::HasSubstr;

// The table that knows the most ways.
const Kernels& Able() {
  const Kernels* able = AvailableKernels().front();
  for (const Kernels* kernels : AvailableKernels()) {
    if (TacticNames(*kernels, Precision::kInt8).size() >=
        TacticNames(*able, Precision::kInt8).size()) {
      able = kernels;
    }
  }
  return *able;
}

Product ProductOf(size_t N, size_t K, Precision precision) {
  Product product;
  product.N = N;
  product.K = K;
  product.precision = precision;
  return product;
}

// Among three products.
const std::vector<Product>& TwoShapes() {
  static const std::vector<Product> products = {
      ProductOf(64, 32, Precision::kInt8), ProductOf(64, 32, Precision::kInt8),
      ProductOf(32, 64, Precision::kFp32)};
  return products;
}

class TuningTest : public testing::Test {
 protected:
  void SetUp() override {
    if (TacticNames(Able(), Precision::kInt8).size() < 2) GTEST_SKIP();
    options_.measurement = [this](const Kernels& kernels,
                                  const GemmShape& shape, int) {
      ++measured_;
      std::vector<double> us(TacticNames(kernels, shape.precision).size(),
                             standard_us_);
      // Few rows gain by the last way.
      if (shape.M <= 8) us.back() = last_us_;
      return us;
    };
  }
  RowTactics Tuned(const ProductShape& shape) {
    const auto table = Tune(Able(), TwoShapes(), options_, &cache_);
    EXPECT_TRUE(table.ok()) << table.status();
    return table.ok() ? table->Of(shape) : RowTactics{};
  }
  static size_t Last() {
    return TacticNames(Able(), Precision::kInt8).size() - 1;
  }

  static constexpr ProductShape kShape{Precision::kInt8, 64, 32};
  TuningOptions options_;
  TimingCache cache_;
  double standard_us_ = 10, last_us_ = 9;
  int measured_ = 0;
};

TEST_F(TuningTest, TheFastestWayIsChosenByRows) {
  options_.level = 4;
  const RowTactics tactics = Tuned(kShape);
  for (const size_t M : {1, 2, 3, 5, 8}) EXPECT_EQ(tactics.For(M), Last()) << M;
  for (const size_t M : {9, 16, 300, 9000}) EXPECT_EQ(tactics.For(M), 0u) << M;
  // Two shapes among three products, every bucket.
  EXPECT_EQ(measured_, 2 * static_cast<int>(kRowBuckets));
}

TEST_F(TuningTest, WhatWasNotMeasuredGoesTheStandardWay) {
  options_.level = 1;
  const RowTactics tactics = Tuned(kShape);
  EXPECT_EQ(tactics.For(1), Last());
  EXPECT_EQ(tactics.For(2), 0u);
}

TEST_F(TuningTest, ASmallGainIsNone) {
  last_us_ = 9.8;
  EXPECT_EQ(Tuned(kShape), RowTactics{});
}

TEST_F(TuningTest, LevelZeroMeasuresNothing) {
  options_.level = 0;
  EXPECT_EQ(Tuned(kShape), RowTactics{});
  EXPECT_EQ(measured_, 0);
}

TEST_F(TuningTest, WhatTheCacheHoldsIsNotMeasuredAgain) {
  const RowTactics first = Tuned(kShape);
  const int once = measured_;
  standard_us_ = 1;  // would choose otherwise
  EXPECT_EQ(Tuned(kShape), first);
  EXPECT_EQ(measured_, once);
  options_.measure = false;
  EXPECT_EQ(Tuned(kShape), first);
}

TEST_F(TuningTest, AMissMayBeAnErrorThatNamesTheShape) {
  options_.measure = false;
  const auto table = Tune(Able(), TwoShapes(), options_, &cache_);
  EXPECT_TRUE(absl::IsFailedPrecondition(table.status()));
  EXPECT_THAT(Message(table.status()), HasSubstr("fp32 32x64, 1 rows"));
  EXPECT_THAT(Message(table.status()), HasSubstr(ProcessorKey()));
  EXPECT_EQ(measured_, 0);
}

// A line of the cache lost, or another processor's.
TEST_F(TuningTest, APartOfTheCacheIsCompleted) {
  Tuned(kShape);
  TimingCache part;
  for (const auto& [key, ns] : cache_.times()) {
    if (key.M != 4 || key.precision != "int8") part.Add(key, ns);
  }
  measured_ = 0;
  cache_ = part;
  Tuned(kShape);
  EXPECT_EQ(measured_, 1);
}

TEST_F(TuningTest, ProgressReachesItsEnd) {
  int last = 0, whole = -1;
  options_.progress = [&](int done, int all) { last = done, whole = all; };
  Tuned(kShape);
  EXPECT_EQ(last, 20);
  EXPECT_EQ(whole, 20);
}

// A whole compilation, every product the last way.
class TunedPlanTest : public TuningTest {
 protected:
  void SetUp() override {
    TuningTest::SetUp();
    if (IsSkipped()) return;
    compile_.checkpoint = testing::TempDir() + "/quaver_tuned_plan";
    compile_.plan = compile_.checkpoint + ".plan";
    std::filesystem::remove(compile_.plan);
    TinyBart().WriteTo(compile_.checkpoint);
    compile_.precision = Precision::kInt8;
    compile_.isas = {&Able(), AvailableKernels().front()};
    compile_.tuning = options_;
    compile_.tuning.level = 1;
    compile_.timing_cache = &cache_;
  }
  absl::Status Compile() {
    return CompileCorrector(compile_,
                            [](const BartModel&, const BartModel&) {
                              return absl::StatusOr<double>(0);
                            })
        .status();
  }

  CompileOptions compile_;
};

TEST_F(TunedPlanTest, APlanHoldsWhatWasChosenForEachTable) {
  ASSERT_TRUE(Compile().ok());
  const auto plan = BartModel::Load(compile_.plan, Able());
  ASSERT_TRUE(plan.ok()) << plan.status();
  for (const Product& product : Products(**plan)) {
    EXPECT_EQ(product.tactics.For(1), Last());
    EXPECT_EQ(product.tactics.For(64), 0u);
  }
  const auto metadata = ModelFiles::Open(compile_.plan)->plan()->metadata();
  EXPECT_EQ(metadata.at("tactics.scalar"), ProcessorKey() + "\n");
}

TEST_F(TunedPlanTest, AFullCacheGivesTheSameBytes) {
  ASSERT_TRUE(Compile().ok());
  const std::string first = *ReadFile(compile_.plan);
  standard_us_ = 1;  // would choose otherwise
  compile_.tuning.measure = false;
  ASSERT_TRUE(Compile().ok());
  EXPECT_EQ(*ReadFile(compile_.plan), first);
}

TEST_F(TunedPlanTest, NoPlanIsWrittenWhereATimeIsMissing) {
  compile_.tuning.measure = false;
  EXPECT_TRUE(absl::IsFailedPrecondition(Compile()));
  EXPECT_FALSE(std::filesystem::exists(compile_.plan));
}

TEST(RowsOfLevelTest, AreBucketsOfGrowingNumber) {
  size_t before = 0;
  for (const int level : {0, 1, 2, 4}) {
    const auto rows = RowsOfLevel(level);
    EXPECT_GE(rows.size(), before);
    before = rows.size();
    for (const size_t M : rows) EXPECT_EQ(BucketRows(RowBucket(M)), M);
  }
  EXPECT_EQ(before, kRowBuckets);
}

// The real measurement, as small as it can be.
TEST(MeasureTacticsTest, TimesEveryWay) {
  for (const Precision precision : kPrecisions) {
    const auto us = MeasureTactics(BestKernels(), {3, 40, 70, precision}, 1);
    EXPECT_EQ(us.size(), TacticNames(BestKernels(), precision).size());
    for (const double one : us) EXPECT_GT(one, 0);
  }
}

constexpr char kLine[] = "a cpu\tint8\t1152x384\t16\tamx\t5200\n";

TEST(TimingCacheTest, TextIsSortedAndReadBack) {
  TimingCache cache;
  cache.Add({"b", "int8", 2, 3, 10, "x"}, 7);
  cache.Add({"b", "int8", 2, 3, 9, "x"}, 8);
  cache.Add({"a", "fp32", 20, 3, 1, "x y"}, 9);
  const std::string text = cache.Text();
  EXPECT_THAT(text, testing::EndsWith("a\tfp32\t20x3\t1\tx y\t9\n"
                                      "b\tint8\t2x3\t9\tx\t8\n"
                                      "b\tint8\t2x3\t10\tx\t7\n"));
  const auto read = TimingCache::Parse(text, "name");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->times(), cache.times());
}

TEST(TimingCacheTest, FilesMergeByConcatenation) {
  TimingCache fast, slow;
  fast.Add({"a", "int8", 2, 3, 1, "x"}, 5);
  slow.Add({"a", "int8", 2, 3, 1, "x"}, 6);
  slow.Add({"a", "int8", 2, 3, 2, "x"}, 9);
  const auto one = TimingCache::Parse(fast.Text() + slow.Text(), "");
  const auto other = TimingCache::Parse(slow.Text() + fast.Text(), "");
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_EQ(one->Text(), other->Text());
  EXPECT_EQ(one->Find({"a", "int8", 2, 3, 1, "x"}), 5);
  EXPECT_EQ(one->times().size(), 2u);
}

TEST(TimingCacheTest, ALineThatIsNoneIsNamed) {
  for (const char* bad :
       {"a", "a\tint8\t1152x384\t16\tamx", "a\tint8\t1152\t16\tamx\t1",
        "a\tint8\t1152x384x2\t16\tamx\t1", "a\tint8\t1152x0\t16\tamx\t1",
        "a\tint8\t1152x384\t-1\tamx\t1", "a\tint8\t1152x384\t16\tamx\t1e3",
        "a\tint8\t1152x384\t16\tamx\t99999999999999999999",
        "a\tint8\t1152x384\t16\tamx\t1\t2"}) {
    const auto read =
        TimingCache::Parse(std::string("# heading\n\n") + kLine + bad, "f.txt");
    EXPECT_TRUE(absl::IsInvalidArgument(read.status())) << bad;
    EXPECT_THAT(Message(read.status()), HasSubstr("f.txt:4:")) << bad;
  }
}

TEST(TimingCacheTest, WritingKeepsWhatOthersWrote) {
  const std::string path = testing::TempDir() + "/quaver_timing_cache";
  std::filesystem::remove(path);
  ASSERT_TRUE(TimingCache::Read(path).ok());  // none yet
  ASSERT_TRUE(WriteFileAtomically(path, kLine).ok());
  TimingCache mine;
  mine.Add({"a cpu", "int8", 1152, 384, 17, "amx"}, 1);
  ASSERT_TRUE(mine.WriteTo(path).ok());
  const auto both = TimingCache::Read(path);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(both->times().size(), 2u);
  ASSERT_TRUE(WriteFileAtomically(path, "not a line").ok());
  EXPECT_FALSE(mine.WriteTo(path).ok());
  EXPECT_EQ(*ReadFile(path), "not a line");
}

TEST(TimingCacheTest, TheCorpusIsReadOrRefused) {
  int num_good = 0, num_bad = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           QUAVER_SOURCE_DIR "/tests/corpora/timing_cache_fuzz")) {
    const auto cache =
        TimingCache::Parse(*ReadFile(entry.path().string()), "text");
    ++(cache.ok() ? num_good : num_bad);
    if (!cache.ok()) continue;
    EXPECT_EQ(TimingCache::Parse(cache->Text(), "text")->times(),
              cache->times());
  }
  EXPECT_GE(num_good, 3);
  EXPECT_GE(num_bad, 3);
}

}  // namespace
}  // namespace quaver
