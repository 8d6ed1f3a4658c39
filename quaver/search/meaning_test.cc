// Tests of searching ahead: idle cores alone are taken.
#include "quaver/search/internal/meaning.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

// Notes which thread asked.
class AskedBy : public Servable {
 public:
  std::vector<TensorSpec> inputs() const override { return {}; }
  std::vector<TensorSpec> outputs() const override { return {}; }
  absl::StatusOr<Tensors> Infer(const Tensors&, const CallOptions&,
                                CallTimes*) override {
    EXPECT_TRUE(HoldsCore());
    asked_by = std::this_thread::get_id();
    return Tensors{MakeTensor("EMBEDDING", Datatype::kFp32, {1, 2},
                              std::vector<float>{1, 0})};
  }
  std::atomic<std::thread::id> asked_by{};
};

class MeaningAheadTest : public testing::Test {
 protected:
  MeaningAhead Ahead(Servable* encoder, CoreBudget& cores) const {
    return MeaningAhead(encoder, snapshot_, filter_, types_, call_, cores);
  }

  // Whether another thread embedded the query of a search that holds a core.
  bool RunsAhead(CoreBudget& cores) const {
    AskedBy encoder;
    const CoreLease core(cores);
    MeaningAhead ahead = Ahead(&encoder, cores);
    ahead.Begin(PrepareQuery("hey jude"));
    const auto meaning = ahead.Take(PrepareQuery("hey jude"));
    EXPECT_TRUE(meaning.ok()) << meaning.status();
    EXPECT_EQ(meaning->embedding, std::vector<float>({1, 0}));
    EXPECT_TRUE(HoldsCore());
    return encoder.asked_by != std::this_thread::get_id();
  }

 private:
  const Snapshot snapshot_ = {};
  const Filter filter_ = {};
  const std::vector<EntityType> types_ = {};
  const CallOptions call_ = {};
};

TEST_F(MeaningAheadTest, TakesIdleCoresAlone) {
  CoreBudget two(2);
  EXPECT_TRUE(RunsAhead(two));
  EXPECT_TRUE(RunsAhead(two));  // it was given back
  ASSERT_EQ(two.TakeIdle(1), 1);
  EXPECT_FALSE(RunsAhead(two));
  CoreBudget one(1);
  EXPECT_FALSE(RunsAhead(one));
}

TEST_F(MeaningAheadTest, AGuessThatWasWrongGivesItsCoreBack) {
  CoreBudget cores(2);
  AskedBy encoder;
  {
    const CoreLease core(cores);
    MeaningAhead ahead = Ahead(&encoder, cores);
    ahead.Begin(PrepareQuery("hey jude"));
    EXPECT_TRUE(ahead.Take(PrepareQuery("let it be")).ok());
  }
  EXPECT_EQ(cores.TakeIdle(3), 2);
}

TEST_F(MeaningAheadTest, WithoutAnEncoderThereIsNoMeaning) {
  CoreBudget cores(2);
  MeaningAhead ahead = Ahead(nullptr, cores);
  ahead.Begin(PrepareQuery("hey jude"));
  const auto meaning = ahead.Take(PrepareQuery("hey jude"));
  ASSERT_TRUE(meaning.ok()) << meaning.status();
  EXPECT_TRUE(meaning->embedding.empty());
}

}  // namespace
}  // namespace quaver
