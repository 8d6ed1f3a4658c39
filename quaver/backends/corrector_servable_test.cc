// Tests of the corrector servable over a tiny model and a tiny vocabulary.
#include "quaver/backends/corrector_servable.h"

#include <sched.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/backends/tiny_corrector.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::Gt;
using testing::HasSubstr;
using testing::IsEmpty;

class CorrectorServableTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/quaver_corrector_servable";
    WriteTinyCorrector(folder_);
  }

  std::unique_ptr<CorrectorServable> Create(CorrectorConfig config = {}) const {
    config.model_folder = folder_;
    auto corrector = CorrectorServable::Create(config, BestKernels());
    EXPECT_TRUE(corrector.ok()) << corrector.status();
    return corrector.ok() ? *std::move(corrector) : nullptr;
  }

  std::string folder_;
};

Tensor Texts(const std::string& name, const std::vector<std::string>& texts) {
  return {
      name, Datatype::kBytes, {static_cast<int64_t>(texts.size())}, texts, {}};
}

Tensor NBest(int32_t number) {
  const auto bytes = std::as_bytes(std::span(&number, 1));
  return {"N_BEST", Datatype::kInt32, {1}, {}, {bytes.begin(), bytes.end()}};
}

struct Found {
  std::vector<std::string> answers;
  std::vector<float> scores, draft_scores;
  int32_t passes = 0;

  bool operator==(const Found&) const = default;
};

std::vector<float> Floats(const Tensor& tensor) {
  EXPECT_EQ(tensor.datatype, Datatype::kFp32);
  std::vector<float> values(tensor.raw.size() / sizeof(float));
  EXPECT_THAT(tensor.shape, ElementsAre(static_cast<int64_t>(values.size())));
  if (!values.empty()) {
    std::memcpy(values.data(), tensor.raw.data(), tensor.raw.size());
  }
  return values;
}

Found Ask(CorrectorServable& corrector, const Tensors& request) {
  const auto answer = corrector.Infer(request);
  EXPECT_TRUE(answer.ok()) << answer.status();
  if (!answer.ok()) return {};
  EXPECT_EQ(answer->size(), 4u);
  Found found;
  EXPECT_EQ((*answer)[0].name, "CORRECTED");
  found.answers = (*answer)[0].strings;
  EXPECT_EQ((*answer)[1].name, "SCORE");
  found.scores = Floats((*answer)[1]);
  EXPECT_EQ(found.scores.size(), found.answers.size());
  EXPECT_EQ((*answer)[2].name, "DRAFT_SCORE");
  found.draft_scores = Floats((*answer)[2]);
  EXPECT_EQ((*answer)[3].name, "PASSES");
  EXPECT_EQ((*answer)[3].raw.size(), sizeof(int32_t));
  std::memcpy(&found.passes, (*answer)[3].raw.data(), sizeof(int32_t));
  return found;
}

TEST_F(CorrectorServableTest, DescribesItself) {
  const auto corrector = Create();
  ASSERT_NE(corrector, nullptr);
  ASSERT_EQ(corrector->inputs().size(), 3u);
  EXPECT_EQ(corrector->inputs()[0].name, "TEXT");
  ASSERT_EQ(corrector->outputs().size(), 4u);
  EXPECT_EQ(corrector->outputs()[0].name, "CORRECTED");
}

TEST_F(CorrectorServableTest, EqualsTheEngineOnTheTokens) {
  const auto corrector = Create();
  ASSERT_NE(corrector, nullptr);
  const auto tokenizer = Bpe::Load(folder_);
  const auto model = BartModel::Load(folder_, BestKernels());
  ASSERT_TRUE(tokenizer.ok() && model.ok());
  for (const std::string text : {"abc de", "q", "many words are here"}) {
    const Found found = Ask(*corrector, {Texts("TEXT", {text})});
    GeneratorLimits limits;
    limits.max_source_tokens = limits.max_target_tokens = TinyBart::kPositions;
    Generator generator(**model, limits);
    ASSERT_TRUE(generator.Add({.source = (*tokenizer)->Encode(text, 24)}).ok());
    std::vector<Generated> done;
    while (!generator.idle()) generator.Step(&done);
    ASSERT_EQ(found.answers.size(), 1u);
    EXPECT_EQ(found.answers[0],
              CleanUtf8((*tokenizer)->Decode(done[0].tokens)));
    EXPECT_EQ(found.scores[0], static_cast<float>(done[0].score));
    EXPECT_THAT(found.draft_scores, IsEmpty());
    EXPECT_GE(found.passes, 1);
  }
}

TEST_F(CorrectorServableTest, AnswersAreCleanAndDiffer) {
  const auto corrector = Create({.least_alternative = -4});
  ASSERT_NE(corrector, nullptr);
  size_t number = 0;
  for (const std::string text : {"a", "song", "rain on me", "xyz w"}) {
    const Found found = Ask(*corrector, {Texts("TEXT", {text}), NBest(9)});
    ASSERT_GE(found.answers.size(), 1u);
    for (size_t i = 0; i < found.answers.size(); ++i) {
      const std::string& answer = found.answers[i];
      EXPECT_EQ(answer, CleanUtf8(answer));
      EXPECT_EQ(std::count(found.answers.begin(), found.answers.end(), answer),
                1);
      if (i > 1) {
        EXPECT_LE(found.scores[i], found.scores[i - 1]);
      }
    }
    EXPECT_EQ(found.answers[0],
              Ask(*corrector, {Texts("TEXT", {text})}).answers[0]);
    number += found.answers.size();
  }
  EXPECT_GE(number, 8u);
  const auto strict = Create({.least_alternative = -0.01});
  ASSERT_NE(strict, nullptr);
  EXPECT_EQ(Ask(*strict, {Texts("TEXT", {"a"}), NBest(9)}).answers.size(), 1u);
}

TEST_F(CorrectorServableTest, ScoresDraftsInTheirOrder) {
  const auto corrector = Create();
  ASSERT_NE(corrector, nullptr);
  const std::vector<std::string> drafts = {
      "rain", std::string(30, 'a'),    "rainy",
      "rain", std::string(5'000, 'b'), "on me"};
  const Found found =
      Ask(*corrector, {Texts("DRAFTS", drafts), Texts("TEXT", {"rai"})});
  ASSERT_EQ(found.draft_scores.size(), drafts.size());
  for (size_t i = 0; i < drafts.size(); ++i) {
    const float score = found.draft_scores[i];
    if (i == 1 || i == 4) {
      EXPECT_EQ(score, -HUGE_VALF);
      continue;
    }
    EXPECT_LT(score, 0);
    const Found alone =
        Ask(*corrector, {Texts("TEXT", {"rai"}), Texts("DRAFTS", {drafts[i]})});
    EXPECT_EQ(alone.draft_scores[0], score);
    EXPECT_EQ(alone.answers, found.answers);
    EXPECT_EQ(alone.scores, found.scores);
  }
}

TEST_F(CorrectorServableTest, ScoresTheFirstDraftsOnly) {
  const auto corrector = Create();
  ASSERT_NE(corrector, nullptr);
  const std::vector<std::string> drafts(20, "rain");
  const Found found =
      Ask(*corrector, {Texts("TEXT", {"rai"}), Texts("DRAFTS", drafts)});
  ASSERT_EQ(found.draft_scores.size(), 20u);
  EXPECT_THAT(std::span(found.draft_scores).first(16),
              testing::Each(Gt(-HUGE_VALF)));
  EXPECT_THAT(std::span(found.draft_scores).last(4), testing::Each(-HUGE_VALF));
}

TEST_F(CorrectorServableTest, LeavesEmptyAndLongTexts) {
  const auto corrector = Create();
  ASSERT_NE(corrector, nullptr);
  for (const std::string& text :
       {std::string(), std::string(23, 'a'), std::string(100'000, 'a')}) {
    const Found found =
        Ask(*corrector,
            {Texts("TEXT", {text}), Texts("DRAFTS", {"a", "b"}), NBest(4)});
    EXPECT_EQ(found, (Found{{}, {}, {-HUGE_VALF, -HUGE_VALF}, 0}))
        << text.size();
  }
  EXPECT_EQ(
      Ask(*corrector, {Texts("TEXT", {std::string(22, 'a')})}).answers.size(),
      1u);
  Ask(*corrector, {Texts("TEXT", {std::string("\0\xff\xc0\n", 4)})});
}

TEST_F(CorrectorServableTest, ServesTwoThreads) {
  const auto corrector = Create({.num_instances = 2});
  ASSERT_NE(corrector, nullptr);
  const Tensors request = {Texts("TEXT", {"rain on me"}),
                           Texts("DRAFTS", {"rain", "song"}), NBest(4)};
  const Found wanted = Ask(*corrector, request);
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        EXPECT_EQ(Ask(*corrector, request), wanted);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Company may cost drafts their rows, and so passes, but no answer.
TEST_F(CorrectorServableTest, CountsThePassesOfItsDecoder) {
  const auto corrector = Create({.num_instances = 2});
  const Found found = Ask(*corrector, {Texts("TEXT", {"rai"})});
  const StepStatistics counts = *corrector->counts().steps;
  EXPECT_EQ(counts.num_succeeded, 1u);
  EXPECT_EQ(counts.num_instances, 2);
  ASSERT_EQ(counts.by_size.size(), 1u);  // no company
  EXPECT_EQ(counts.by_size.at(1).count, static_cast<uint64_t>(found.passes));
}

TEST_F(CorrectorServableTest, ComputesOnItsCores) {
  cpu_set_t before, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  const Tensors request = {Texts("TEXT", {"abc de"}), NBest(3)};
  const auto anywhere = Create();
  ASSERT_NE(anywhere, nullptr);
  for (const int threads : {1, 2}) {
    CorrectorConfig config = {.num_instances = threads == 1 ? 2 : 1};
    config.threads_per_instance = threads;
    config.cores = {0, 1};
    const auto pinned = Create(config);
    ASSERT_NE(pinned, nullptr);
    EXPECT_EQ(Ask(*pinned, request), Ask(*anywhere, request));
  }
  ASSERT_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST_F(CorrectorServableTest, AnswersAreThoseOfCallsAlone) {
  const auto corrector = Create({.num_instances = 1, .max_requests = 3});
  ASSERT_NE(corrector, nullptr);
  std::vector<Tensors> requests;
  for (const std::string text :
       {"rain on me", "abc de", "q", "xyz w", "song", "many words here"}) {
    requests.push_back({Texts("TEXT", {text})});
    requests.push_back({Texts("TEXT", {text}), NBest(9)});
    requests.push_back(
        {Texts("TEXT", {text}), NBest(4),
         Texts("DRAFTS", {text, "rain", "xyz", "q", "on me", "rainy"})});
  }
  requests.push_back({Texts("TEXT", {""})});
  std::vector<Found> wanted;
  for (const Tensors& request : requests) {
    wanted.push_back(Ask(*corrector, request));
  }
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (size_t round = 0; round < 3 * requests.size(); ++round) {
        const size_t number = (5 * i + round) % requests.size();
        Found found = Ask(*corrector, requests[number]);
        found.passes = wanted[number].passes;
        EXPECT_EQ(found, wanted[number]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Whatever is refused, what is not is answered as ever, and nobody hangs.
TEST_F(CorrectorServableTest, RefusesWhatNobodyCanWaitFor) {
  const auto corrector =
      Create({.num_instances = 1, .max_requests = 1, .max_waiting = 0});
  ASSERT_NE(corrector, nullptr);
  const Tensors request = {Texts("TEXT", {"many words are here"}), NBest(9)};
  const Found wanted = Ask(*corrector, request);
  std::atomic<bool> refused = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      while (!refused) {
        const auto answer = corrector->Infer(request);
        if (answer.ok()) {
          EXPECT_EQ((*answer)[0].strings, wanted.answers);
          continue;
        }
        EXPECT_TRUE(absl::IsResourceExhausted(answer.status()))
            << answer.status();
        refused = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Ask(*corrector, request), wanted);
}

// Nobody wants the answer any more once its first pass has been seen.
TEST_F(CorrectorServableTest, LeavesWhatIsCancelledBetweenPasses) {
  const auto corrector = Create({.num_instances = 1});
  ASSERT_NE(corrector, nullptr);
  const auto counts = [&] { return *corrector->counts().steps; };
  const auto num_steps = [&] { return counts().by_size[1].count; };
  const Tensors request = {Texts("TEXT", {"many words are here"}), NBest(9)};
  const Found wanted = Ask(*corrector, request);
  bool stopped = false;
  for (int round = 0; round < 10'000 && !stopped; ++round) {
    const uint64_t steps = num_steps();
    std::atomic<bool> cancelled = false;
    std::atomic<bool> done = false;
    std::thread caller([&] {
      const absl::StatusOr<Tensors> answer =
          corrector->Infer(request, {.cancelled = &cancelled}, nullptr);
      done = true;
      stopped = absl::IsCancelled(answer.status());
      if (!stopped) {
        EXPECT_EQ(answer.value()[0].strings, wanted.answers);
      }
    });
    while (!done && num_steps() == steps) std::this_thread::yield();
    cancelled = true;
    caller.join();
  }
  EXPECT_TRUE(stopped);
  EXPECT_EQ(counts().num_cancelled, 1u);
  EXPECT_EQ(counts().num_active, 0);
  EXPECT_EQ(Ask(*corrector, request), wanted);
}

TEST_F(CorrectorServableTest, RefusesWhatComesTooLate) {
  const auto corrector = Create();
  ASSERT_NE(corrector, nullptr);
  const Tensors request = {Texts("TEXT", {"rain"})};
  CallTimes times;
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      corrector->Infer(request, {.deadline_us = 0}, &times).status()));
  const std::atomic<bool> cancelled = true;
  EXPECT_TRUE(absl::IsCancelled(
      corrector->Infer(request, {.cancelled = &cancelled}, &times).status()));
  EXPECT_EQ(times.compute_us, 0);
}

TEST_F(CorrectorServableTest, RefusesOtherTensors) {
  const auto corrector = Create();
  ASSERT_NE(corrector, nullptr);
  const auto message = [&](const Tensors& request) {
    const absl::Status status = corrector->Infer(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return Message(status);
  };
  const Tensor text = Texts("TEXT", {"a"});
  EXPECT_THAT(message({}), HasSubstr("there is no input TEXT"));
  EXPECT_THAT(message({text, text}), HasSubstr("input TEXT is there twice"));
  EXPECT_THAT(message({text, Texts("QUERY", {})}),
              HasSubstr("input QUERY is none of"));
  EXPECT_THAT(message({Texts("TEXT", {"a", "b"})}),
              HasSubstr("input TEXT has 2 texts"));
  Tensor wrong = text;
  wrong.datatype = Datatype::kFp32;
  EXPECT_THAT(message({wrong}), HasSubstr("TEXT is not of datatype BYTES"));
  wrong = Texts("DRAFTS", {"a"});
  wrong.shape = {2};
  EXPECT_THAT(message({text, wrong}),
              HasSubstr("DRAFTS has shape [2] and 1 elements"));
  EXPECT_THAT(message({text, NBest(10)}), HasSubstr("N_BEST is 10"));
  EXPECT_THAT(message({text, NBest(0)}), HasSubstr("N_BEST is 0"));
  wrong = NBest(1);
  wrong.raw.pop_back();
  EXPECT_THAT(message({text, wrong}), HasSubstr("N_BEST has shape"));
  EXPECT_THAT(message({text, Texts("N_BEST", {"1"})}),
              HasSubstr("N_BEST is not of datatype INT32"));
}

TEST_F(CorrectorServableTest, ChecksItsFolderAndConfig) {
  const auto error = [&](const CorrectorConfig& config) {
    return CorrectorServable::Create(config, BestKernels()).status();
  };
  EXPECT_EQ(error({.model_folder = folder_, .num_instances = -1}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      Message(error({.model_folder = folder_, .threads_per_instance = 0})),
      HasSubstr("threads_per_instance is below 1"));
  EXPECT_THAT(Message(error({.model_folder = folder_, .cores = {0, -1}})),
              HasSubstr("a core is negative"));
  EXPECT_THAT(Message(error({.model_folder = folder_, .max_requests = 0})),
              HasSubstr("max_requests is 0"));
  WriteTinyVocabulary(folder_, TinyBart::kVocabulary + 1);
  EXPECT_THAT(Message(error({.model_folder = folder_})),
              HasSubstr("vocab_size is 60"));
}

}  // namespace
}  // namespace quaver
