// Tests of generation: drafts and company change passes, never answers.
#include "quaver/engine/generation.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/engine/internal/draft_tree.h"
#include "quaver/engine/tiny_bart.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Tokens = std::vector<int32_t>;

std::unique_ptr<const BartModel> MakeModel(const TinyBart& tiny,
                                           const Kernels& kernels) {
  const std::string folder = testing::TempDir() + "/quaver_generation";
  std::filesystem::remove_all(folder);
  tiny.WriteTo(folder);
  auto model = BartModel::Load(folder, kernels);
  QUAVER_CHECK(model.ok());
  return *std::move(model);
}

GeneratorLimits SmallLimits() {
  GeneratorLimits limits;
  limits.max_requests = 4;
  limits.max_source_tokens = 12;
  limits.max_target_tokens = 20;
  limits.max_rows = 40;
  return limits;
}

Tokens RandomSource(uint64_t seed) {
  Random random(3, seed);
  Tokens source = {0};
  const uint64_t length = 1 + random.Below(9);
  for (uint64_t i = 0; i < length; ++i) {
    source.push_back(static_cast<int32_t>(4 + random.Below(50)));
  }
  source.push_back(2);
  return source;
}

Generated Answer(const BartModel& model, GenerationRequest request,
                 const GeneratorLimits& limits = SmallLimits()) {
  Generator generator(model, limits);
  QUAVER_CHECK(generator.Add(std::move(request)).ok());
  std::vector<Generated> done;
  while (!generator.idle()) generator.Step(&done);
  QUAVER_CHECK(done.size() == 1);
  return done[0];
}

TEST(DraftTreeTest, PlacesAreThoseOfTheNearestBeginnings) {
  const Tokens draft = {10, 11, 12, 13, 14};
  EXPECT_THAT(PlacesAfter(Tokens{}, draft, 1), ElementsAre(0));
  EXPECT_THAT(PlacesAfter(Tokens{10, 11}, draft, 1), ElementsAre(2));
  // 11 was replaced by 99, or 99 put before it; replaced counts first.
  EXPECT_THAT(PlacesAfter(Tokens{10, 99}, draft, 2), ElementsAre(2, 1));
  EXPECT_THAT(PlacesAfter(Tokens{10, 99, 13}, draft, 1), ElementsAre(4));
}

TEST(DraftTreeTest, SharesBeginningsAndKeepsToItsLimits) {
  const std::vector<Tokens> drafts = {{5, 6, 7}, {5, 6, 8, 9}, {5}};
  const auto tree = MakeDraftTree(Tokens{}, drafts, 10, 10);
  ASSERT_EQ(tree.size(), 5u);
  EXPECT_EQ(tree[3].token, 8);
  EXPECT_EQ(tree[3].parent, 1);
  EXPECT_EQ(tree[3].depth, 3);
  EXPECT_EQ(MakeDraftTree(Tokens{}, drafts, 4, 10).size(), 4u);
  EXPECT_EQ(MakeDraftTree(Tokens{}, drafts, 10, 2).size(), 2u);
  EXPECT_THAT(MakeDraftTree(Tokens{}, std::vector<Tokens>{}, 10, 10),
              IsEmpty());
}

class GenerationTest : public testing::TestWithParam<const Kernels*> {};
INSTANTIATE_TEST_SUITE_P(Isa, GenerationTest,
                         testing::ValuesIn(AvailableKernels().begin(),
                                           AvailableKernels().end()),
                         [](const auto& info) {
                           return std::string(info.param->name);
                         });

TEST_P(GenerationTest, DraftsChangePassesOnly) {
  const auto model = MakeModel({}, *GetParam());
  int with_drafts = 0, without = 0;
  for (uint64_t i = 0; i < 30; ++i) {
    const Tokens source = RandomSource(i);
    const Generated plain = Answer(*model, {.id = i, .source = source});
    EXPECT_EQ(plain.passes, static_cast<int>(plain.tokens.size()) - 1);
    without += plain.passes;
    Tokens near = plain.tokens;  // the answer with a token changed, one lost
    near.erase(near.begin());
    near[near.size() / 2] = 9;
    near.erase(near.begin() + static_cast<std::ptrdiff_t>(near.size() / 4));
    const Tokens right(plain.tokens.begin() + 1, plain.tokens.end());
    for (const std::vector<Tokens>& drafts :
         {std::vector<Tokens>{source}, {near}, {source, near, right}}) {
      const Generated drafted =
          Answer(*model, {.id = i, .source = source, .drafts = drafts});
      EXPECT_EQ(drafted.tokens, plain.tokens);
      EXPECT_EQ(drafted.score, plain.score);
      EXPECT_LE(drafted.passes, plain.passes);
      with_drafts += drafted.passes;
    }
    EXPECT_EQ(Answer(*model, {.source = source, .drafts = {right}}).passes, 1);
  }
  EXPECT_LT(with_drafts, 2 * without);  // three tries each
}

TEST_P(GenerationTest, CompanyChangesNothing) {
  const auto model = MakeModel({}, *GetParam());
  std::map<uint64_t, Generated> alone;
  for (uint64_t i = 0; i < 20; ++i) {
    alone[i] = Answer(*model, {.id = i, .source = RandomSource(i)});
  }
  Generator generator(*model, SmallLimits());
  std::vector<Generated> done;
  uint64_t next = 0;
  while (next < 20 || !generator.idle()) {  // they come and go
    while (next < 20 && generator.num_active() < 1 + next % 4) {
      const Tokens source = RandomSource(next);
      std::vector<Tokens> drafts;
      if (next % 2 == 0) drafts = {source};
      ASSERT_TRUE(
          generator.Add({.id = next, .source = source, .drafts = drafts}).ok());
      ++next;
    }
    generator.Step(&done);
  }
  ASSERT_EQ(done.size(), 20u);
  for (const Generated& one : done) {
    EXPECT_EQ(one.tokens, alone[one.id].tokens) << one.id;
    EXPECT_EQ(one.score, alone[one.id].score) << one.id;
  }
}

TEST(GeneratorTest, ObeysLengthsAndForcedTokens) {
  TinyBart tiny;
  tiny.config["forced_bos_token_id"] = 7;
  tiny.config["forced_eos_token_id"] = 2;
  const auto model = MakeModel(tiny, BestKernels());
  GenerationRequest request = {.source = RandomSource(1)};
  request.options = {.max_new_tokens = 5, .min_new_tokens = 5};
  const Generated answer = Answer(*model, request);
  EXPECT_EQ(answer.tokens.size(), 6u);
  EXPECT_EQ(answer.tokens[0], 2);
  EXPECT_EQ(answer.tokens[1], 7);
  EXPECT_EQ(answer.tokens.back(), 2);
  request.options = {.max_new_tokens = 1'000};
  EXPECT_LE(Answer(*model, request).tokens.size(), 20u);
}

TEST(GeneratorTest, RepeatsNoBannedNgram) {
  const auto model = MakeModel({}, BestKernels());
  for (uint64_t i = 0; i < 10; ++i) {
    GenerationRequest request = {.source = RandomSource(i)};
    request.options = {.min_new_tokens = 19, .no_repeat_ngram_size = 1};
    Tokens tokens = Answer(*model, request).tokens;
    std::sort(tokens.begin(), tokens.end());
    EXPECT_EQ(std::adjacent_find(tokens.begin(), tokens.end()), tokens.end());
  }
}

TEST(GeneratorTest, CancelsAndTakesOthersInItsPlace) {
  const auto model = MakeModel({}, BestKernels());
  Generator generator(*model, SmallLimits());
  for (uint64_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(generator.Add({.id = i, .source = RandomSource(i)}).ok());
  }
  EXPECT_TRUE(absl::IsResourceExhausted(
      generator.Add({.id = 9, .source = RandomSource(9)})));
  std::vector<Generated> done;
  generator.Step(&done);
  EXPECT_TRUE(generator.Cancel(2));
  EXPECT_FALSE(generator.Cancel(2));
  ASSERT_TRUE(generator.Add({.id = 9, .source = RandomSource(9)}).ok());
  while (!generator.idle()) generator.Step(&done);
  for (const Generated& one : done) {
    EXPECT_NE(one.id, 2u);
    EXPECT_EQ(one.tokens,
              Answer(*model, {.source = RandomSource(one.id)}).tokens);
  }
  EXPECT_EQ(done.size(), 4u);
}

TEST(GeneratorTest, SaysWhatIsWrongWithARequest) {
  const auto model = MakeModel({}, BestKernels());
  Generator generator(*model, SmallLimits());
  const auto message = [&](GenerationRequest request) {
    const absl::Status status = generator.Add(std::move(request));
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return Message(status);
  };
  EXPECT_THAT(message({}), HasSubstr("the source has 0 tokens"));
  EXPECT_THAT(message({.source = Tokens(13, 5)}), HasSubstr("13 tokens"));
  EXPECT_THAT(message({.source = {0, 60, 2}}), HasSubstr("60 is no id"));
  EXPECT_THAT(message({.source = {-1}}), HasSubstr("-1 is no id"));
  EXPECT_THAT(message({.source = {0, 2}, .drafts = {{}}}),
              HasSubstr("a draft has 0 tokens"));
  GenerationRequest request = {.source = {0, 2}};
  request.options.max_new_tokens = 0;
  EXPECT_THAT(message(request), HasSubstr("max_new_tokens"));
  EXPECT_TRUE(generator.idle());
}

TEST(GeneratorTest, FewRowsShortenDraftsOnly) {
  const auto model = MakeModel({}, BestKernels());
  GeneratorLimits limits = SmallLimits();
  limits.max_rows = 4;
  for (uint64_t i = 0; i < 10; ++i) {
    const Tokens source = RandomSource(i);
    const Generated plain = Answer(*model, {.source = source});
    const Tokens right(plain.tokens.begin() + 1, plain.tokens.end());
    const Generated drafted =
        Answer(*model, {.source = source, .drafts = {right}}, limits);
    EXPECT_EQ(drafted.tokens, plain.tokens);
  }
}

}  // namespace
}  // namespace quaver
