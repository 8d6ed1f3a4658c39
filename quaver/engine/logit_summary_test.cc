// Tests of summaries of logits that are not stored: they are those of the
// stored ones.
#include "quaver/engine/internal/logit_summary.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/engine/bart.h"
#include "quaver/engine/tiny_bart.h"

namespace quaver {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr int kVocabulary = 9'000;  // two whole blocks and a part of one

// A decoder's call of M rows, each the first of a target of its own.
struct Rows {
  std::vector<int32_t> tokens;
  std::vector<uint32_t> zeros, slots, seen_offsets{0}, source_end;

  explicit Rows(size_t M) : zeros(M, 0), source_end(M, 4) {
    Random random(5);
    for (size_t m = 0; m < M; ++m) {
      tokens.push_back(static_cast<int32_t>(random.Below(kVocabulary)));
      slots.push_back(static_cast<uint32_t>(m));
      seen_offsets.push_back(static_cast<uint32_t>(m) + 1);
    }
  }
  DecoderRows view() const {
    return {tokens, zeros, slots, slots, seen_offsets, zeros, source_end};
  }
};

using Table = std::tuple<const Kernels*, Precision>;

class LogitSummaryTest : public testing::TestWithParam<Table> {
 protected:
  void SetUp() override {
    const std::string folder = testing::TempDir() + "/quaver_logit_summary";
    std::filesystem::remove_all(folder);
    TinyBart tiny;
    tiny.config["vocab_size"] = kVocabulary;
    tiny.shapes["final_logits_bias"] = {1, kVocabulary};
    tiny.shapes["model.shared.weight"] = {kVocabulary, TinyBart::kWidth};
    tiny.WriteTo(folder);
    const auto [kernels, precision] = GetParam();
    auto model = BartModel::Load(folder, *kernels, {precision, {}});
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    const std::vector<int32_t> source = {0, 7, 900, 2};
    const std::vector<uint32_t> offsets = {0, 4};
    const uint32_t first = 0;
    model_->Encode({source, offsets}, {&first, 1}, Workspace(), cache());
  }

  BartWorkspace& Workspace(int threads = 1) {
    workspace_ = std::make_unique<BartWorkspace>(
        *model_, 40,
        TeamConfig{threads, /*limit=*/threads, {}, /*least_shared=*/0});
    return *workspace_;
  }
  BartCache& cache() {
    if (!cache_) cache_.emplace(*model_, BartCache::Size{4, 40});
    return *cache_;
  }

  std::unique_ptr<const BartModel> model_;
  std::unique_ptr<BartWorkspace> workspace_;
  std::optional<BartCache> cache_;
};

std::string NameOf(const testing::TestParamInfo<Table>& info) {
  const auto& [kernels, precision] = info.param;
  return fmt::format("{}_{}", kernels->name, Name(precision));
}

INSTANTIATE_TEST_SUITE_P(
    Isa, LogitSummaryTest,
    testing::Combine(testing::ValuesIn(AvailableKernels().begin(),
                                       AvailableKernels().end()),
                     testing::ValuesIn(kPrecisions)),
    NameOf);

void ExpectSame(const RowSummary& found, const RowSummary& wanted) {
  for (size_t i = 0; i < RowSummary::kCount; ++i) {
    EXPECT_EQ(found.greatest[i], wanted.greatest[i]) << i;
    EXPECT_EQ(found.index[i], wanted.index[i]) << i;
  }
}

TEST_P(LogitSummaryTest, EqualsThatOfStoredLogits) {
  constexpr size_t M = 33, V = kVocabulary;
  const Rows rows(M);
  std::vector<float> logits(M * V);
  model_->Decode(rows.view(), Workspace(), cache(), logits);
  // Bans the likeliest of every third row, and what is nowhere near it.
  std::vector<RowToken> banned, wanted;
  for (uint32_t m = 0; m < M; ++m) {
    float* own = logits.data() + m * V;
    if (m % 3 == 0) {
      const auto likeliest =
          static_cast<int32_t>(std::max_element(own, own + V) - own);
      banned.push_back({m, likeliest});
      banned.push_back({m, kVocabulary - 1});
      wanted.push_back({m, likeliest});
      own[likeliest] = own[V - 1] = kNever;
    }
    wanted.push_back({m, static_cast<int32_t>(kSummaryColumns - 1 + m % 2)});
  }
  std::vector<RowSummary> summaries(M);
  std::vector<float> wanted_logits(wanted.size());
  model_->Decode(rows.view(), Workspace(), cache(),
                 LogitQueries{summaries, banned, wanted, wanted_logits});
  for (size_t m = 0; m < M; ++m) {
    const RowSummary stored =
        model_->kernels().dense.summarise(logits.data() + m * V, V);
    ExpectSame(summaries[m], stored);
    // Both add 9,000 powers in parts of at most 9,000 / 8.
    EXPECT_NEAR(summaries[m].sum, stored.sum, 7e-5f * stored.sum) << m;
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto token = static_cast<size_t>(wanted[i].token);
    EXPECT_EQ(wanted_logits[i], logits[wanted[i].row * V + token]) << i;
  }
}

TEST_P(LogitSummaryTest, DependsOnTheRowAlone) {
  const Rows all(33);
  std::vector<RowSummary> wanted(33);
  model_->Decode(all.view(), Workspace(), cache(), LogitQueries{wanted});
  for (const size_t M : {1, 2, 13, 33}) {
    for (int threads = 1; threads <= 3; ++threads) {
      const Rows some(M);
      std::vector<RowSummary> found(M);
      model_->Decode(some.view(), Workspace(threads), cache(),
                     LogitQueries{found});
      for (size_t m = 0; m < M; ++m) {
        ExpectSame(found[m], wanted[m]);
        EXPECT_EQ(found[m].sum, wanted[m].sum)
            << M << " rows, " << threads << " threads, row " << m;
      }
    }
  }
}

constexpr auto kColumns = static_cast<uint32_t>(kSummaryColumns);

TEST(MergeTest, OfEqualOnesTheFirstIsGreatest) {
  const RowSummary blocks[] = {{{2, 1, 1}, {5, 0, 7}, 3},
                               {{2, 2, 1}, {0, 1, 2}, 4},
                               {{kNever, kNever, kNever}, {0, 0, 0}, 9}};
  const RowSummary row = Merge(blocks, 1, 3);
  ExpectSame(row, {{2, 2, 2}, {5, kColumns, kColumns + 1}, 0});
  EXPECT_EQ(row.sum, 7);
}

TEST(MergeTest, SumsAreOfPowersBelowTheGreatest) {
  const RowSummary blocks[] = {{{1, 0, 0}, {3, 4, 5}, 2},
                               {{4, 3, 2}, {0, 1, 2}, 1.5f}};
  const RowSummary row = Merge(blocks, 1, 2);
  ExpectSame(row, {{4, 3, 2}, {kColumns, kColumns + 1, kColumns + 2}, 0});
  EXPECT_FLOAT_EQ(row.sum, 1.5f + 2 * std::exp(-3.0f));
}

}  // namespace
}  // namespace quaver
