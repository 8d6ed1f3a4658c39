// Tests of generation: drafts and company change passes, never answers.
#include "quaver/engine/generation.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/engine/tiny_bart.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Tokens = std::vector<int32_t>;

std::unique_ptr<const BartModel> MakeModel(const TinyBart& tiny,
                                           const Kernels& kernels,
                                           Precision precision = {}) {
  const std::string folder = testing::TempDir() + "/quaver_generation";
  std::filesystem::remove_all(folder);
  tiny.WriteTo(folder);
  auto model = BartModel::Load(folder, kernels, {precision, {}});
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

// Limits with room for all that these tests score and branch.
GeneratorLimits WideLimits() {
  GeneratorLimits limits = SmallLimits();
  limits.max_scored_tokens = 80;
  limits.max_alternatives = 6;
  limits.max_rows = 140;
  return limits;
}

constexpr double kNever = -std::numeric_limits<double>::infinity();
constexpr double kLeastBranchScore = -4;  // the default

// Decodes without a Generator: reads the whole target for each token.
class Reference {
 public:
  Reference(const BartModel& model, Tokens source)
      : model_(model),
        source_(std::move(source)),
        cache_(model, {source_.size(), 32}),
        workspace_(model, 32) {
    const uint32_t offsets[] = {0, static_cast<uint32_t>(source_.size())};
    const uint32_t first = 0;
    model.Encode({source_, offsets}, {&first, 1}, workspace_, cache_);
  }

  // Logarithms of the probabilities of what follows.
  std::vector<double> After(const Tokens& tokens) {
    const size_t M = tokens.size();
    const auto V = static_cast<size_t>(model_.config().vocab_size);
    std::vector<uint32_t> positions, seen, seen_offsets = {0};
    for (uint32_t p = 0; p < M; ++p) {
      positions.push_back(p);
      for (uint32_t q = 0; q <= p; ++q) seen.push_back(q);
      seen_offsets.push_back(static_cast<uint32_t>(seen.size()));
    }
    const std::vector<uint32_t> begins(M, 0);
    const std::vector<uint32_t> ends(M, static_cast<uint32_t>(source_.size()));
    std::vector<float> logits(M * V);
    model_.Decode(
        {tokens, positions, positions, seen, seen_offsets, begins, ends},
        workspace_, cache_, logits);
    const auto own = std::span(logits).last(V);
    double sum = 0;
    for (const float logit : own) sum += std::exp(double{logit});
    std::vector<double> scores;
    for (const float logit : own) scores.push_back(logit - std::log(sum));
    return scores;
  }

  // `tokens` and what is likeliest after them.
  Alternative Complete(Tokens tokens, double score, int max_new_tokens) {
    while ((tokens.size() == 1 || tokens.back() != 2) &&
           static_cast<int>(tokens.size()) <= max_new_tokens) {
      const std::vector<double> scores = After(tokens);
      const auto best = std::max_element(scores.begin(), scores.end());
      tokens.push_back(static_cast<int32_t>(best - scores.begin()));
      score += *best;
    }
    return {tokens, score};
  }

  // The answers that leave `answer` with the best beginnings.
  std::vector<Alternative> Alternatives(const Tokens& answer, size_t count,
                                        int max_new_tokens) {
    std::vector<Alternative> all;  // beginnings
    Tokens tokens = {answer[0]};
    double score = 0;
    for (size_t at = 1; at < answer.size(); ++at) {
      const std::vector<double> scores = After(tokens);
      std::vector<int32_t> order(scores.size());
      for (size_t i = 0; i < order.size(); ++i) {
        order[i] = static_cast<int32_t>(i);
      }
      std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
      });
      for (size_t i = 1; i < 3; ++i) {
        Tokens other = tokens;
        other.push_back(order[i]);
        all.push_back({other, score + scores[static_cast<size_t>(order[i])]});
      }
      score += scores[static_cast<size_t>(answer[at])];
      tokens.push_back(answer[at]);
    }
    const auto better = [](const Alternative& a, const Alternative& b) {
      return a.score > b.score;
    };
    std::stable_sort(all.begin(), all.end(), better);
    std::erase_if(all, [](const Alternative& one) {
      return one.score <= kLeastBranchScore;
    });
    if (all.size() > count) all.resize(count);
    for (Alternative& one : all) {
      one = Complete(one.tokens, one.score, max_new_tokens);
    }
    std::stable_sort(all.begin(), all.end(), better);
    return all;
  }

  // Of an answer, the decoder's start left out.
  double Score(const Tokens& answer) {
    Tokens tokens = {2};
    double score = 0;
    for (const int32_t token : answer) {
      score += After(tokens)[static_cast<size_t>(token)];
      tokens.push_back(token);
    }
    return score;
  }

 private:
  const BartModel& model_;
  const Tokens source_;
  BartCache cache_;
  BartWorkspace workspace_;
};

// A text as a source is written, near `answer` for odd seeds.
Tokens RandomText(uint64_t seed, const Tokens& answer) {
  Tokens text = RandomSource(100 + seed);
  if (seed % 2 == 0) return text;
  const size_t same = std::min(answer.size() - 1, size_t{5});
  text.insert(text.begin() + 1, answer.begin() + 1,
              answer.begin() + 1 + static_cast<std::ptrdiff_t>(same));
  return text;
}

class GenerationTest
    : public testing::TestWithParam<std::tuple<const Kernels*, Precision>> {
 protected:
  static std::unique_ptr<const BartModel> Model(const TinyBart& tiny) {
    const auto [kernels, precision] = GetParam();
    return MakeModel(tiny, *kernels, precision);
  }
};
std::string NameOf(const std::tuple<const Kernels*, Precision>& param) {
  const auto& [kernels, precision] = param;
  return fmt::format("{}_{}", kernels->name, Name(precision));
}

INSTANTIATE_TEST_SUITE_P(
    Isa, GenerationTest,
    testing::Combine(testing::ValuesIn(AvailableKernels().begin(),
                                       AvailableKernels().end()),
                     testing::ValuesIn(kPrecisions)),
    [](const auto& info) { return NameOf(info.param); });

TEST_P(GenerationTest, DraftsChangePassesOnly) {
  const auto model = Model({});
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
  const auto model = Model({});
  std::map<uint64_t, Generated> alone;
  for (uint64_t i = 0; i < 20; ++i) {
    alone[i] = Answer(*model, {.id = i, .source = RandomSource(i)});
  }
  Generator generator(*model, SmallLimits());
  std::vector<Generated> done;
  uint64_t next = 0;
  while (next < 20 || !generator.idle()) {  // they come and go
    while (next < 20 && next - done.size() < 1 + next % 4) {
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

TEST_P(GenerationTest, ScoresAreThoseOfReadingTokenByToken) {
  TinyBart tiny;  // whose answers would not end by themselves
  tiny.config["forced_eos_token_id"] = 2;
  const auto model = Model(tiny);
  for (uint64_t i = 0; i < 10; ++i) {
    const Tokens source = RandomSource(i);
    const Tokens answer = Answer(*model, {.source = source}).tokens;
    GenerationRequest request = {.source = source, .drafts = {source}};
    for (uint64_t n = 0; n < 6; ++n) {
      request.scored.push_back(RandomText(n, answer));
    }
    request.scored.push_back(request.scored[1]);
    request.scored.push_back({0, 2});  // the empty text
    Reference reference(*model, source);
    request.scored.push_back({answer.begin() + 1, answer.end()});
    const Generated found = Answer(*model, request, WideLimits());
    EXPECT_EQ(found.tokens, answer);
    ASSERT_EQ(found.scored.size(), 9u);
    for (size_t n = 0; n < 8; ++n) {
      const Tokens& text = request.scored[n];
      EXPECT_NEAR(found.scored[n],
                  reference.Score({text.begin() + 1, text.end()}), 1e-3)
          << n;
    }
    EXPECT_EQ(found.scored[6], found.scored[1]);
    EXPECT_EQ(found.scored[8], found.score);
    EXPECT_EQ(found.passes, 1);
  }
}

TEST_P(GenerationTest, AlternativesAreTheBestBranches) {
  for (const uint64_t seed : {1, 6, 38}) {  // some answers of 6 and 38 end soon
    TinyBart tiny;
    tiny.seed = seed;
    const auto model = Model(tiny);
    for (uint64_t i = 0; i < 8; ++i) {
      GenerationRequest request = {.source = RandomSource(i)};
      request.options.max_new_tokens = 12;
      const Generated plain = Answer(*model, request);
      if (i % 2 == 0) request.drafts = {request.source};
      request.alternatives = 1 + static_cast<int>(i % 6);
      const Generated found = Answer(*model, request, WideLimits());
      EXPECT_EQ(found.tokens, plain.tokens);
      EXPECT_EQ(found.score, plain.score);
      EXPECT_LE(found.alternative_passes, 12);
      const auto wanted =
          Reference(*model, request.source)
              .Alternatives(found.tokens,
                            static_cast<size_t>(request.alternatives), 12);
      EXPECT_GE(wanted.size(), 1u);
      ASSERT_EQ(found.alternatives.size(), wanted.size());
      for (size_t n = 0; n < wanted.size(); ++n) {
        EXPECT_EQ(found.alternatives[n].tokens, wanted[n].tokens)
            << seed << ", " << i << ": " << n;
        EXPECT_NEAR(found.alternatives[n].score, wanted[n].score, 1e-3);
        EXPECT_NE(found.alternatives[n].tokens, found.tokens);
      }
    }
  }
}

// What is guessed is in the first pass already.
TEST_P(GenerationTest, AlternativesThatAreGuessedTakeNoPass) {
  const auto model = Model({});
  for (uint64_t i = 0; i < 8; ++i) {
    GenerationRequest request = {.source = RandomSource(i)};
    request.options.max_new_tokens = 8;
    request.alternatives = 4;
    const Generated found = Answer(*model, request, WideLimits());
    const auto guess = [&](const Tokens& tokens) {
      request.drafts.emplace_back(tokens.begin() + 1, tokens.end() - 1);
    };
    guess(found.tokens);
    for (const Alternative& one : found.alternatives) guess(one.tokens);
    const Generated again = Answer(*model, request, WideLimits());
    EXPECT_EQ(again.tokens, found.tokens);
    EXPECT_EQ(again.passes, 1);
    EXPECT_EQ(again.alternative_passes, 0);
    EXPECT_GE(found.alternative_passes, 1);
    ASSERT_EQ(again.alternatives.size(), found.alternatives.size());
    for (size_t n = 0; n < found.alternatives.size(); ++n) {
      EXPECT_EQ(again.alternatives[n].tokens, found.alternatives[n].tokens);
      EXPECT_EQ(again.alternatives[n].score, found.alternatives[n].score);
    }
  }
}

GenerationRequest MixedRequest(uint64_t i, const Tokens& answer) {
  GenerationRequest request = {.id = i, .source = RandomSource(i)};
  if (i % 3 != 0) request.drafts = {request.source};
  for (uint64_t n = 0; n < i % 4; ++n) {
    request.scored.push_back(RandomText(n, answer));
  }
  request.alternatives = static_cast<int>(i % 5);
  return request;
}

TEST_P(GenerationTest, CompanyChangesNothingOfWhatElseIsAsked) {
  const auto model = Model({});
  std::map<uint64_t, Generated> alone;
  std::vector<GenerationRequest> requests;
  for (uint64_t i = 0; i < 20; ++i) {
    const Generated plain = Answer(*model, {.source = RandomSource(i)});
    requests.push_back(MixedRequest(i, plain.tokens));
    alone[i] = Answer(*model, requests.back(), WideLimits());
    EXPECT_EQ(alone[i].tokens, plain.tokens);
    EXPECT_EQ(alone[i].score, plain.score);
  }
  GeneratorLimits limits = WideLimits();
  limits.max_rows = 84;  // the least: new ones have to wait
  Generator generator(*model, limits);
  std::vector<Generated> done;
  size_t next = 0;
  while (next < 20 || !generator.idle()) {
    while (next < 20 && next - done.size() < 4) {
      ASSERT_TRUE(generator.Add(requests[next++]).ok());
    }
    generator.Step(&done);
  }
  ASSERT_EQ(done.size(), 20u);
  for (const Generated& one : done) {
    const Generated& wanted = alone[one.id];
    EXPECT_EQ(one.tokens, wanted.tokens) << one.id;
    EXPECT_EQ(one.score, wanted.score) << one.id;
    EXPECT_EQ(one.scored, wanted.scored) << one.id;
    ASSERT_EQ(one.alternatives.size(), wanted.alternatives.size()) << one.id;
    for (size_t n = 0; n < wanted.alternatives.size(); ++n) {
      EXPECT_EQ(one.alternatives[n].tokens, wanted.alternatives[n].tokens);
      EXPECT_EQ(one.alternatives[n].score, wanted.alternatives[n].score);
    }
  }
}

TEST(GeneratorTest, ScoresWhatFitsOnly) {
  const auto model = MakeModel({}, BestKernels());
  GenerationRequest request = {.source = RandomSource(1)};
  request.scored = {{0, 5, 6, 7, 2},     // 3 rows
                    {0, 5, 6, 8, 9, 2},  // 2 more: too many
                    {0, 5, 6, 8, 2},     // 1 more
                    {0, 5, 2, 7, 2},     // goes on after its end
                    Tokens(25, 5)};      // longer than an answer may be
  GeneratorLimits limits = WideLimits();
  limits.max_scored_tokens = 4;
  const Generated found = Answer(*model, request, limits);
  const Generated all = Answer(*model, request, WideLimits());
  EXPECT_EQ(found.tokens, all.tokens);
  EXPECT_THAT(found.scored, ElementsAre(all.scored[0], kNever, all.scored[2],
                                        kNever, kNever));
  EXPECT_GT(all.scored[1], kNever);
  EXPECT_EQ(all.scored[3], kNever);
  EXPECT_EQ(all.scored[4], kNever);
  EXPECT_THAT(Answer(*model, request).scored,  // no room at all
              testing::Each(kNever));
}

TEST(GeneratorTest, ForcedTokensCountNothing) {
  TinyBart tiny;
  tiny.config["forced_bos_token_id"] = 0;
  const auto model = MakeModel(tiny, BestKernels());
  GenerationRequest request = {.source = RandomSource(1)};
  request.scored = {{0, 5, 6, 2}, {5, 6, 2}};
  request.alternatives = 3;
  const Generated found = Answer(*model, request, WideLimits());
  Reference reference(*model, request.source);
  const double first = reference.After({2})[0];
  EXPECT_NEAR(found.scored[0], reference.Score({0, 5, 6, 2}) - first, 1e-3);
  EXPECT_EQ(found.scored[1], kNever);
  for (const Alternative& one : found.alternatives) {
    EXPECT_EQ(one.tokens[1], 0);
  }
}

TEST(GeneratorTest, AlternativesTakeTurnsWhereRowsAreFew) {
  const auto model = MakeModel({}, BestKernels());
  for (uint64_t i = 0; i < 6; ++i) {
    GenerationRequest request = {.source = RandomSource(i)};
    request.options.max_new_tokens = 12;
    request.alternatives = 5;
    const Generated all = Answer(*model, request, WideLimits());
    for (const int rows : {1, 2, 4}) {
      GeneratorLimits limits = WideLimits();
      limits.max_requests = 1;
      limits.max_scored_tokens = 0;
      limits.max_rows = rows;
      const Generated some = Answer(*model, request, limits);
      EXPECT_EQ(some.tokens, all.tokens);
      EXPECT_LE(some.alternative_passes, 12);
      for (const Alternative& one : some.alternatives) {
        const auto same = std::find_if(
            all.alternatives.begin(), all.alternatives.end(),
            [&](const Alternative& other) {
              return other.tokens == one.tokens && other.score == one.score;
            });
        EXPECT_NE(same, all.alternatives.end());
      }
    }
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
  EXPECT_THAT(message({.source = {0, 2}, .scored = {{99}}}),
              HasSubstr("a scored text: 99 is no id"));
  EXPECT_THAT(message({.source = {0, 2}, .alternatives = 1}),
              HasSubstr("1 alternatives; there may be 0 to 0"));
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
