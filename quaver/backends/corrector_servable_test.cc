// Tests of the corrector servable over a tiny model and a tiny vocabulary.
#include "quaver/backends/corrector_servable.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/engine/tiny_bart.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::Gt;
using testing::HasSubstr;
using testing::IsEmpty;

// Five special tokens, letters with and without a space, and a word or two. A
// line feed, a byte that is no UTF-8 and a character's first byte are among
// them, so that answers of random weights need cleaning.
constexpr const char* kTokens[] = {"<s>", "<pad>", "</s>", "<unk>", "<mask>",
                                   "Ċ",   "ÿ",     "Ã",    "ĠÃ",    "Ġ"};

class CorrectorServableTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/quaver_corrector_servable";
    std::filesystem::remove_all(folder_);
    TinyBart().WriteTo(folder_);
    WriteVocabulary(TinyBart::kVocabulary);
  }

  void WriteVocabulary(int size) const {
    nlohmann::json vocabulary;
    int32_t id = 0;
    for (const char* token : kTokens) vocabulary[token] = id++;
    std::string merges = "#version: 0.2\n";
    for (char letter = 'a'; letter <= 'z'; ++letter) {
      vocabulary[std::string(1, letter)] = id++;
    }
    for (char letter = 'a'; id < size; ++letter) {
      vocabulary[std::string("Ġ") + letter] = id++;
      merges += std::string("Ġ ") + letter + "\n";
    }
    TinyBart::Must(
        WriteFileAtomically(folder_ + "/vocab.json", vocabulary.dump()));
    TinyBart::Must(WriteFileAtomically(folder_ + "/merges.txt", merges));
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

Tensor Number(int32_t number) {
  const auto bytes = std::as_bytes(std::span(&number, 1));
  return {
      "ALTERNATIVES", Datatype::kInt32, {1}, {}, {bytes.begin(), bytes.end()}};
}

struct Found {
  std::vector<std::string> answers;
  std::vector<float> scores, candidate_scores;
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
  EXPECT_EQ((*answer)[0].name, "ANSWERS");
  found.answers = (*answer)[0].strings;
  EXPECT_EQ((*answer)[1].name, "SCORES");
  found.scores = Floats((*answer)[1]);
  EXPECT_EQ(found.scores.size(), found.answers.size());
  EXPECT_EQ((*answer)[2].name, "CANDIDATE_SCORES");
  found.candidate_scores = Floats((*answer)[2]);
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
  EXPECT_EQ(corrector->outputs()[0].name, "ANSWERS");
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
    EXPECT_THAT(found.candidate_scores, IsEmpty());
    EXPECT_GE(found.passes, 1);
  }
}

TEST_F(CorrectorServableTest, AnswersAreCleanAndDiffer) {
  const auto corrector = Create();
  ASSERT_NE(corrector, nullptr);
  size_t number = 0;
  for (const std::string text : {"a", "song", "rain on me", "xyz w"}) {
    const Found found = Ask(*corrector, {Texts("TEXT", {text}), Number(8)});
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
}

TEST_F(CorrectorServableTest, ScoresCandidatesInTheirOrder) {
  const auto corrector = Create();
  ASSERT_NE(corrector, nullptr);
  const std::vector<std::string> candidates = {
      "rain", std::string(30, 'a'),    "rainy",
      "rain", std::string(5'000, 'b'), "on me"};
  const Found found = Ask(
      *corrector, {Texts("CANDIDATES", candidates), Texts("TEXT", {"rai"})});
  ASSERT_EQ(found.candidate_scores.size(), candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    const float score = found.candidate_scores[i];
    if (i == 1 || i == 4) {
      EXPECT_EQ(score, -HUGE_VALF);
      continue;
    }
    EXPECT_LT(score, 0);
    const Found alone = Ask(*corrector, {Texts("TEXT", {"rai"}),
                                         Texts("CANDIDATES", {candidates[i]})});
    EXPECT_EQ(alone.candidate_scores[0], score);
    EXPECT_EQ(alone.answers, found.answers);
    EXPECT_EQ(alone.scores, found.scores);
  }
}

TEST_F(CorrectorServableTest, ScoresTheFirstCandidatesOnly) {
  const auto corrector = Create();
  ASSERT_NE(corrector, nullptr);
  const std::vector<std::string> candidates(20, "rain");
  const Found found = Ask(
      *corrector, {Texts("TEXT", {"rai"}), Texts("CANDIDATES", candidates)});
  ASSERT_EQ(found.candidate_scores.size(), 20u);
  EXPECT_THAT(std::span(found.candidate_scores).first(16),
              testing::Each(Gt(-HUGE_VALF)));
  EXPECT_THAT(std::span(found.candidate_scores).last(4),
              testing::Each(-HUGE_VALF));
}

TEST_F(CorrectorServableTest, LeavesEmptyAndLongTexts) {
  const auto corrector = Create();
  ASSERT_NE(corrector, nullptr);
  for (const std::string& text :
       {std::string(), std::string(23, 'a'), std::string(100'000, 'a')}) {
    const Found found = Ask(
        *corrector,
        {Texts("TEXT", {text}), Texts("CANDIDATES", {"a", "b"}), Number(3)});
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
                           Texts("CANDIDATES", {"rain", "song"}), Number(3)};
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
TEST_F(CorrectorServableTest, AnswersAreThoseOfCallsAlone) {
  const auto corrector = Create({.num_instances = 1, .max_requests = 3});
  ASSERT_NE(corrector, nullptr);
  std::vector<Tensors> requests;
  for (const std::string text :
       {"rain on me", "abc de", "q", "xyz w", "song", "many words here"}) {
    requests.push_back({Texts("TEXT", {text})});
    requests.push_back({Texts("TEXT", {text}), Number(8)});
    requests.push_back(
        {Texts("TEXT", {text}), Number(3),
         Texts("CANDIDATES", {text, "rain", "xyz", "q", "on me", "rainy"})});
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
  const Tensors request = {Texts("TEXT", {"many words are here"}), Number(8)};
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
  wrong = Texts("CANDIDATES", {"a"});
  wrong.shape = {2};
  EXPECT_THAT(message({text, wrong}),
              HasSubstr("CANDIDATES has shape [2] and 1 elements"));
  EXPECT_THAT(message({text, Number(9)}), HasSubstr("ALTERNATIVES is 9"));
  EXPECT_THAT(message({text, Number(-1)}), HasSubstr("ALTERNATIVES is -1"));
  wrong = Number(1);
  wrong.raw.pop_back();
  EXPECT_THAT(message({text, wrong}), HasSubstr("ALTERNATIVES has shape"));
  EXPECT_THAT(message({text, Texts("ALTERNATIVES", {"1"})}),
              HasSubstr("ALTERNATIVES is not of datatype INT32"));
}

TEST_F(CorrectorServableTest, ChecksItsFolderAndConfig) {
  const auto error = [&](const CorrectorConfig& config) {
    return CorrectorServable::Create(config, BestKernels()).status();
  };
  EXPECT_EQ(error({.model_folder = folder_, .num_instances = -1}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(error({.model_folder = folder_, .max_requests = 0})),
              HasSubstr("max_requests is 0"));
  WriteVocabulary(TinyBart::kVocabulary + 1);
  EXPECT_THAT(Message(error({.model_folder = folder_})),
              HasSubstr("vocab_size is 60"));
}

}  // namespace
}  // namespace quaver
