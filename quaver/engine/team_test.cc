// Tests of teams: every part is computed once, and models give the same bits
// whatever the number of threads.
#include "quaver/engine/team.h"

#include <sched.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/base/hash.h"
#include "quaver/base/workers.h"
#include "quaver/engine/bart.h"
#include "quaver/engine/bert.h"
#include "quaver/engine/generation.h"
#include "quaver/engine/tiny_bart.h"
#include "quaver/engine/tiny_bert.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// As many cores as any test has threads.
CoreBudget& Plenty() {
  static CoreBudget budget(8);
  return budget;
}

// Of tiny models everything is shared; more threads than cores are made.
TeamConfig Threads(int count) {
  return {.threads = count,
          .limit = count,
          .cores = {},
          .least_shared = 0,
          .budget = &Plenty()};
}

TEST(TeamTest, HasNoMoreThreadsThanThereMayBe) {
  EXPECT_EQ(TeamSize({.threads = 1000}), AvailableCores());
  EXPECT_EQ(TeamSize({.threads = 0}), 1);
  EXPECT_EQ(TeamSize({.threads = 1000, .limit = 3}), 3);
  EXPECT_EQ(Team({.threads = 8, .limit = 2}).size(), 2u);
  EXPECT_EQ(Team({}).size(), 1u);
}

TEST(TeamTest, EveryPartIsComputedOnce) {
  for (int threads = 1; threads <= 4; ++threads) {
    Team team(Threads(threads));
    std::vector<uint32_t> counts(64);  // each written by who has the part
    std::vector<std::atomic<uint32_t>> members(team.size());
    Random random(1);
    uint32_t parts = 0;
    std::vector<uint32_t> wanted(64);
    for (int call = 0; call < 2000; ++call) {
      std::optional<Team::Call> begun;
      if (call % 3 > 0) begun.emplace(team);  // others compute alone
      const size_t num_parts = random.Below(64);
      team.Run(num_parts, [&](size_t part, size_t member) {
        ++counts[part];
        ++members[member];
      });
      for (size_t part = 0; part < num_parts; ++part) ++wanted[part];
      parts += static_cast<uint32_t>(num_parts);
      ASSERT_EQ(counts, wanted) << threads << " threads, call " << call;
    }
    uint32_t sum = 0;
    for (const auto& count : members) sum += count;
    EXPECT_EQ(sum, parts);
  }
}

TEST(TeamTest, OthersDoNotComputeAlone) {
  Team team(Threads(2));
  const Team::Call call(team);
  // Returns only if both members are in it at once.
  std::atomic<int> inside{0};
  team.Run(2, [&](size_t, size_t) {
    ++inside;
    while (inside < 2) {
    }
  });
  EXPECT_EQ(inside, 2);
}

TEST(TeamTest, OnlyWhoHasACoreIsPresent) {
  CoreBudget budget(3);
  Team team({.threads = 4, .limit = 4, .least_shared = 0, .budget = &budget});
  for (int num_busy = 0; num_busy <= 2; ++num_busy) {
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(budget.TakeIdle(num_busy), num_busy);
      {
        const Team::Call call(team);
        ASSERT_EQ(team.num_present(), static_cast<size_t>(3 - num_busy));
        EXPECT_EQ(budget.TakeIdle(1), 0);
        std::atomic<uint32_t> members{0};
        team.Run(64, [&](size_t, size_t member) { members |= 1u << member; });
        EXPECT_LT(members, 1u << team.num_present());
      }
      budget.Give(num_busy);
      ASSERT_EQ(team.num_present(), 1u);
    }
  }
  EXPECT_EQ(budget.TakeIdle(4), 3);
}

TEST(TeamTest, MembersArePinnedToTheirCores) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  std::vector<int> cores;  // by their numbers within the mask
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) cores.push_back(core);
  }
  const int last = static_cast<int>(cores.size()) - 1;
  Team team(
      {.threads = 2, .limit = 2, .cores = {0, last}, .budget = &Plenty()});
  const Team::Call call(team);
  std::atomic<int> inside{0}, core{-1};
  team.Run(2, [&](size_t, size_t member) {
    if (member == 1) core = sched_getcpu();
    ++inside;
    while (inside < 2) {
    }
  });
  EXPECT_EQ(core, cores.back());
  cpu_set_t after;  // the calling thread's is its owner's affair
  ASSERT_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&allowed, &after));
}

TEST(InstanceTeamTest, InstancesHaveCoresOfTheirOwn) {
  const std::vector<int> cores = {0, 1, 2, 3};
  EXPECT_THAT(InstanceTeam(0, 2, 2, cores).cores, ElementsAre(0, 1));
  EXPECT_THAT(InstanceTeam(1, 2, 2, cores).cores, ElementsAre(2, 3));
  EXPECT_THAT(InstanceTeam(1, 2, 1, cores).cores, ElementsAre(1));
  EXPECT_THAT(InstanceTeam(2, 3, 2, cores).cores, ElementsAre(0, 1));
  EXPECT_THAT(InstanceTeam(1, 2, 2, {}).cores, IsEmpty());
}

TEST(InstanceTeamTest, InstancesTogetherHaveNoMoreThreadsThanCores) {
  for (int instances = 1; instances <= AvailableCores(); ++instances) {
    const int size = TeamSize(InstanceTeam(0, instances, 1000, {}));
    EXPECT_LE(instances * size, AvailableCores());
    EXPECT_GT(instances * (size + 1), AvailableCores());  // as many as fit
  }
  // One thread each is the least, however many there are.
  EXPECT_EQ(TeamSize(InstanceTeam(0, 1000, 4, {})), 1);
  EXPECT_EQ(NumInstances(0, 1), AvailableCores());
  EXPECT_EQ(NumInstances(0, 1000), 1);
  EXPECT_EQ(NumInstances(5, 1000), 5);
}

using Table = std::tuple<const Kernels*, Precision>;

class TeamModelTest : public testing::TestWithParam<Table> {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/quaver_team";
    std::filesystem::remove_all(folder_);
  }
  const Kernels& kernels() const { return *std::get<0>(GetParam()); }
  Precision precision() const { return std::get<1>(GetParam()); }

  std::string folder_;
};

std::string NameOf(const testing::TestParamInfo<Table>& info) {
  const auto& [kernels, precision] = info.param;
  return fmt::format("{}_{}", kernels->name, Name(precision));
}

INSTANTIATE_TEST_SUITE_P(
    Isa, TeamModelTest,
    testing::Combine(testing::ValuesIn(AvailableKernels().begin(),
                                       AvailableKernels().end()),
                     testing::ValuesIn(kPrecisions)),
    NameOf);

TEST_P(TeamModelTest, EmbeddingsAreTheSame) {
  TinyBert().WriteTo(folder_);
  const auto model = BertModel::Load(folder_, kernels(), {precision(), {}});
  ASSERT_TRUE(model.ok()) << model.status();
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets = {0};
  Random random(2);
  for (const int T : {1, 40, 7, 33, 2}) {
    for (int t = 0; t < T; ++t) {
      ids.push_back(static_cast<int32_t>(random.Below(TinyBert::kVocabulary)));
    }
    offsets.push_back(static_cast<uint32_t>(ids.size()));
  }
  std::vector<float> wanted;
  for (int threads = 1; threads <= 3; ++threads) {
    BertWorkspace workspace(**model, ids.size(), Threads(threads));
    ASSERT_EQ(TeamSize(Threads(threads)), threads);
    std::vector<float> found((offsets.size() - 1) * TinyBert::kWidth);
    (*model)->Encode({ids, offsets}, workspace, found);
    if (threads == 1) wanted = found;
    EXPECT_EQ(found, wanted) << threads << " threads";
  }
}

// Answers, scores and alternatives of several requests at once.
std::vector<Generated> Answers(const BartModel& model, int threads) {
  GeneratorLimits limits;
  limits.max_requests = 3;
  limits.max_source_tokens = 12;
  limits.max_target_tokens = 20;
  limits.max_scored_tokens = 20;
  limits.max_alternatives = 3;
  Generator generator(model, limits, Threads(threads));
  std::vector<Generated> done;
  for (uint64_t i = 0; i < 9; ++i) {
    std::vector<int32_t> source = {0};
    Random random(3, i);
    while (source.size() < 3 + i) {
      source.push_back(static_cast<int32_t>(4 + random.Below(50)));
    }
    source.push_back(2);
    GenerationRequest request = {.id = i, .source = source};
    if (i % 2 == 0) request.drafts = {source};
    if (i % 3 == 0) request.scored = {source, {0, 5, 6, 2}};
    request.alternatives = static_cast<int>(i % 4);
    QUAVER_CHECK(generator.Add(std::move(request)).ok());
    generator.Step(&done);
    while (i + 1 - done.size() == 3) generator.Step(&done);
  }
  while (!generator.idle()) generator.Step(&done);
  return done;
}

TEST_P(TeamModelTest, AnswersAreTheSame) {
  TinyBart().WriteTo(folder_);
  const auto model = BartModel::Load(folder_, kernels(), {precision(), {}});
  ASSERT_TRUE(model.ok()) << model.status();
  const std::vector<Generated> wanted = Answers(**model, 1);
  ASSERT_EQ(wanted.size(), 9u);
  for (int threads = 2; threads <= 3; ++threads) {
    const std::vector<Generated> found = Answers(**model, threads);
    ASSERT_EQ(found.size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ(found[i].id, wanted[i].id);
      EXPECT_EQ(found[i].tokens, wanted[i].tokens);
      EXPECT_EQ(found[i].score, wanted[i].score);
      EXPECT_EQ(found[i].passes, wanted[i].passes);
      EXPECT_EQ(found[i].scored, wanted[i].scored);
      ASSERT_EQ(found[i].alternatives.size(), wanted[i].alternatives.size());
      for (size_t n = 0; n < wanted[i].alternatives.size(); ++n) {
        EXPECT_EQ(found[i].alternatives[n].tokens,
                  wanted[i].alternatives[n].tokens);
        EXPECT_EQ(found[i].alternatives[n].score,
                  wanted[i].alternatives[n].score);
      }
    }
  }
}

}  // namespace
}  // namespace quaver
