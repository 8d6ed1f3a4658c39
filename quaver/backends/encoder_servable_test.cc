// Tests of the encoder servable over a tiny model and a tiny vocabulary.
#include "quaver/backends/encoder_servable.h"

#include <sched.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/engine/tiny_bert.h"
#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

using testing::HasSubstr;
constexpr size_t D = TinyBert::kWidth;

// TinyBert has 50 tokens: five special ones, letters, a few words.
std::string Vocabulary() {
  std::string tokens = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (char letter = 'a'; letter <= 'r'; ++letter) {
    tokens += std::string(1, letter) + "\n##" + letter + "\n";
  }
  return tokens + "song\nrain\nnews\n";
}

class EncoderServableTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/quaver_encoder_servable";
    std::filesystem::remove_all(folder_);
    TinyBert tiny;
    tiny.Wrap("pooling_mode_mean_tokens", /*normalize=*/true);
    tiny.WriteTo(folder_);
    WriteVocabulary(Vocabulary());
  }

  void WriteVocabulary(const std::string& tokens) const {
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/vocab.txt", tokens).ok());
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/tokenizer_config.json",
                                    R"({"do_lower_case": true,
                                        "tokenizer_class": "BertTokenizer"})")
                    .ok());
  }

  std::unique_ptr<EncoderServable> Create(EncoderConfig config = {}) const {
    config.model_folder = folder_;
    auto encoder = EncoderServable::Create(config, BestKernels());
    EXPECT_TRUE(encoder.ok()) << encoder.status();
    return encoder.ok() ? *std::move(encoder) : nullptr;
  }

  std::string folder_;
};

Tensors Request(const std::vector<std::string>& texts) {
  return {{"TEXT",
           Datatype::kBytes,
           {static_cast<int64_t>(texts.size())},
           texts,
           {}}};
}

std::vector<float> Embed(EncoderServable& encoder,
                         const std::vector<std::string>& texts) {
  const auto answer = encoder.Infer(Request(texts));
  EXPECT_TRUE(answer.ok()) << answer.status();
  if (!answer.ok()) return {};
  const Tensor& tensor = answer->front();
  EXPECT_EQ(tensor.name, "EMBEDDING");
  EXPECT_EQ(tensor.datatype, Datatype::kFp32);
  EXPECT_THAT(tensor.shape,
              testing::ElementsAre(static_cast<int64_t>(texts.size()), D));
  std::vector<float> embeddings(texts.size() * D);
  EXPECT_EQ(tensor.raw.size(), embeddings.size() * sizeof(float));
  if (texts.empty()) return {};
  std::memcpy(embeddings.data(), tensor.raw.data(), tensor.raw.size());
  return embeddings;
}

TEST_F(EncoderServableTest, DescribesItself) {
  const auto encoder = Create();
  ASSERT_NE(encoder, nullptr);
  ASSERT_EQ(encoder->inputs().size(), 3u);
  EXPECT_EQ(encoder->inputs()[0].name, "TEXT");
  EXPECT_EQ(encoder->inputs()[1].name, "INPUT_IDS");
  ASSERT_EQ(encoder->outputs().size(), 2u);
  EXPECT_THAT(encoder->outputs()[0].shape, testing::ElementsAre(-1, D));
  EXPECT_EQ(encoder->dimension(), TinyBert::kWidth);
}

TEST_F(EncoderServableTest, EqualsTheEngineOnTheTokens) {
  const auto encoder = Create();
  ASSERT_NE(encoder, nullptr);
  const auto found = Embed(*encoder, {"Song RAIN"});
  const auto model = BertModel::Load(folder_, BestKernels());
  ASSERT_TRUE(model.ok()) << model.status();
  BertWorkspace workspace(**model, 4);
  const std::vector<int32_t> ids = {2, 41, 42, 3};  // [CLS] song rain [SEP]
  const std::vector<uint32_t> offsets = {0, 4};
  std::vector<float> wanted(D);
  (*model)->Encode({ids, offsets}, workspace, wanted);
  EXPECT_EQ(found, wanted);
}

Tensor Numbers(const std::string& name, std::vector<int64_t> shape,
               const std::vector<int64_t>& values) {
  return MakeTensor(name, Datatype::kInt64, std::move(shape), values);
}

TEST_F(EncoderServableTest, TokenIdsAreAsGoodAsTexts) {
  const auto encoder = Create();
  ASSERT_NE(encoder, nullptr);
  const auto texts = encoder->Infer(Request({"song", "rain song a", "song"}));
  ASSERT_TRUE(texts.ok()) << texts.status();
  const Tensor ids = Numbers(
      "INPUT_IDS", {3, 5}, {2, 41, 3, 0, 0, 2, 42, 41, 5, 3, 2, 41, 3, 9, -7});
  const Tensor mask = Numbers("ATTENTION_MASK", {3, 5},
                              {1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0});
  const auto found = encoder->Infer({mask, ids});
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].raw, (*texts)[0].raw);
  EXPECT_EQ((*found)[1].name, "TOKENS");
  EXPECT_THAT(ValuesOf<int32_t>((*found)[1]), testing::ElementsAre(3, 5, 3));
  EXPECT_EQ((*found)[1].raw, (*texts)[1].raw);
  const auto one =
      encoder->Infer({Numbers("INPUT_IDS", {1, 5}, {2, 42, 41, 5, 3})});
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(std::memcmp(one->front().raw.data(),
                        texts->front().raw.data() + D * sizeof(float),
                        D * sizeof(float)),
            0);
}

TEST_F(EncoderServableTest, RefusesIdsThatAreNoTokens) {
  const auto encoder = Create();
  ASSERT_NE(encoder, nullptr);
  const auto message = [&](const Tensors& request) {
    const absl::Status status = encoder->Infer(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return Message(status);
  };
  const Tensor ids = Numbers("INPUT_IDS", {1, 2}, {2, 3});
  const Tensor text = Request({"a"})[0];
  EXPECT_THAT(message({ids, text}), HasSubstr("either input 'TEXT' or"));
  EXPECT_THAT(message({text, Numbers("ATTENTION_MASK", {1, 1}, {1})}),
              HasSubstr("'ATTENTION_MASK' belongs to"));
  EXPECT_THAT(message({Numbers("INPUT_IDS", {1, 1}, {50})}),
              HasSubstr("the id 50; ids are 0 to 49"));
  EXPECT_THAT(message({Numbers("INPUT_IDS", {1, 1}, {-1})}),
              HasSubstr("the id -1"));
  EXPECT_THAT(message({Numbers("INPUT_IDS", {1, 1}, {int64_t{1} << 32})}),
              HasSubstr("the id 4294967296"));
  EXPECT_THAT(message({Numbers("INPUT_IDS", {2, 0}, {})}),
              HasSubstr("has 0 tokens"));
  EXPECT_THAT(message({Numbers("INPUT_IDS", {int64_t{1} << 60, 0}, {})}),
              HasSubstr("rows; at most"));
  EXPECT_THAT(
      message({Numbers("INPUT_IDS", {1, 500}, std::vector<int64_t>(500, 2))}),
      HasSubstr("has 500 tokens"));
  EXPECT_THAT(message({ids, Numbers("ATTENTION_MASK", {2, 1}, {1, 1})}),
              HasSubstr("'ATTENTION_MASK' has shape [2,1]; expected [1,2]"));
  EXPECT_THAT(message({ids, Numbers("ATTENTION_MASK", {1, 2}, {0, 1})}),
              HasSubstr("ones, then zeros"));
  EXPECT_THAT(message({ids, Numbers("ATTENTION_MASK", {1, 2}, {2, 0})}),
              HasSubstr("ones, then zeros"));
  EXPECT_THAT(message({ids, Numbers("ATTENTION_MASK", {1, 2}, {0, 0})}),
              HasSubstr("has 0 tokens"));
}

TEST_F(EncoderServableTest, TakesAnyBytesAndNone) {
  const auto encoder = Create();
  ASSERT_NE(encoder, nullptr);
  EXPECT_TRUE(Embed(*encoder, {}).empty());
  const auto embeddings =
      Embed(*encoder, {"", std::string("\0\xff\xc0", 3), "   ", "\u266b",
                       std::string(100'000, 'a'), "song"});
  for (size_t b = 0; b < 6; ++b) {
    double squares = 0;
    for (size_t i = 0; i < D; ++i) {
      squares += std::pow(embeddings[b * D + i], 2);
    }
    EXPECT_NEAR(squares, 1, 1e-5) << b;
  }
}

TEST_F(EncoderServableTest, PartsGiveTheSameAsOneByOne) {
  const auto encoder = Create({.max_tokens_per_batch = 41});
  ASSERT_NE(encoder, nullptr);
  std::vector<std::string> texts;
  for (int i = 0; i < 30; ++i) texts.push_back(std::string(i, 'a') + " song");
  const auto together = Embed(*encoder, texts);
  for (size_t b = 0; b < texts.size(); ++b) {
    const auto alone = Embed(*encoder, {texts[b]});
    EXPECT_EQ(
        std::memcmp(alone.data(), together.data() + b * D, D * sizeof(float)),
        0)
        << b;
  }
}

TEST_F(EncoderServableTest, ServesManyThreads) {
  const auto encoder = Create({.num_instances = 2});
  ASSERT_NE(encoder, nullptr);
  const auto wanted = Embed(*encoder, {"news", "rain"});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        EXPECT_EQ(Embed(*encoder, {"news", "rain"}), wanted);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Yields until `count` parts are queued.
void AwaitQueue(const EncoderServable& encoder, int count) {
  while (encoder.statistics().num_queued != count) std::this_thread::yield();
}

// A batch that is not full waits for Stop.
constexpr int64_t kForeverUs = 3'600'000'000;

TEST_F(EncoderServableTest, MergesCallersAndAnswersEachAsIfAlone) {
  const std::vector<std::vector<std::string>> calls = {
      {"news"}, {"rain song", "", "abc"}, {"song"}, {"a", "rain on a song"}};
  const auto merging =
      Create({.batching = {.preferred_batch_sizes = {7},  // all of them
                           .max_queue_delay_us = kForeverUs}});
  ASSERT_NE(merging, nullptr);
  std::vector<std::vector<float>> together(calls.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < calls.size(); ++i) {
    threads.emplace_back([&, i] { together[i] = Embed(*merging, calls[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  const BatcherStatistics statistics = merging->statistics();
  EXPECT_EQ(statistics.by_size.size(), 1u);
  EXPECT_EQ(statistics.by_size.at(7).count, 1u);
  const auto alone = Create();
  ASSERT_NE(alone, nullptr);
  for (size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(Embed(*alone, calls[i]), together[i]);
  }
  EXPECT_EQ(alone->statistics().num_succeeded, calls.size());
}

TEST_F(EncoderServableTest, ALoneCallDoesNotWait) {
  const auto encoder = Create();
  ASSERT_NE(encoder, nullptr);
  for (int i = 0; i < 5; ++i) Embed(*encoder, {"song"});
  const BatcherStatistics statistics = encoder->statistics();
  EXPECT_EQ(statistics.by_size.at(1).count, 5u);
  EXPECT_EQ(statistics.num_queued, 0);
}

TEST_F(EncoderServableTest, KeepsTheLimitsOfABatch) {
  const auto encoder = Create(
      {.num_instances = 2, .max_tokens_per_batch = 41, .max_batch_size = 4});
  ASSERT_NE(encoder, nullptr);
  std::vector<std::string> texts;
  for (int i = 0; i < 60; ++i) texts.push_back(std::string(i % 9, 'a'));
  const auto wanted = Embed(*encoder, texts);
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] { EXPECT_EQ(Embed(*encoder, texts), wanted); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& [size, batches] : encoder->statistics().by_size) {
    EXPECT_LE(size, 4);
  }
}

TEST_F(EncoderServableTest, RefusesAtOnceWhenItsQueueIsFull) {
  EncoderConfig config{.batching = {.max_queue_delay_us = kForeverUs}};
  config.batching.default_queue_policy.max_queue_size = 1;
  const auto encoder = Create(config);
  ASSERT_NE(encoder, nullptr);
  std::thread waiting([&] { EXPECT_EQ(Embed(*encoder, {"song"}).size(), D); });
  AwaitQueue(*encoder, 1);
  EXPECT_EQ(encoder->Infer(Request({"rain"})).status().code(),
            absl::StatusCode::kResourceExhausted);
  encoder->Stop();
  waiting.join();
  EXPECT_EQ(encoder->Infer(Request({"rain"})).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(EncoderServableTest, DropsWhatNobodyWants) {
  const auto encoder = Create({.batching = {.max_queue_delay_us = kForeverUs}});
  ASSERT_NE(encoder, nullptr);
  std::atomic<bool> cancelled = false;
  const CallOptions options{.cancelled = &cancelled};
  std::thread caller([&] {
    EXPECT_EQ(
        encoder->Infer(Request({"song"}), options, nullptr).status().code(),
        absl::StatusCode::kCancelled);
  });
  AwaitQueue(*encoder, 1);
  cancelled = true;
  encoder->Stop();
  caller.join();
  EXPECT_EQ(encoder->statistics().num_cancelled, 1u);
  EXPECT_TRUE(encoder->statistics().by_size.empty());
}

TEST_F(EncoderServableTest, KeepsDeadlinesAndTellsTimes) {
  const auto encoder = Create({.max_tokens_per_batch = 41});
  ASSERT_NE(encoder, nullptr);
  CallTimes times;
  EXPECT_EQ(encoder->Infer(Request({"song"}), {.deadline_us = 0}, &times)
                .status()
                .code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(times.compute_us, 0);
  const std::vector<std::string> texts(20, "rain on a song");  // many parts
  EXPECT_TRUE(encoder->Infer(Request(texts), {}, &times).ok());
  const BatcherStatistics statistics = encoder->statistics();
  EXPECT_GT(statistics.num_succeeded, 1u);
  EXPECT_EQ(times.queue_us, statistics.times.queue_us);
  EXPECT_EQ(times.compute_us, statistics.times.compute_us);
}

TEST_F(EncoderServableTest, PinsWhileItComputesOnly) {
  cpu_set_t before;
  cpu_set_t after;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  const auto anywhere = Create();
  ASSERT_NE(anywhere, nullptr);
  for (const int threads : {1, 2}) {
    const auto pinned = Create({.num_instances = threads == 1 ? 2 : 1,
                                .threads_per_instance = threads,
                                .cores = {0, 1}});
    ASSERT_NE(pinned, nullptr);
    EXPECT_EQ(Embed(*pinned, {"song"}), Embed(*anywhere, {"song"}));
  }
  ASSERT_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST_F(EncoderServableTest, RefusesOtherTensors) {
  const auto encoder = Create();
  ASSERT_NE(encoder, nullptr);
  const auto message = [&](const Tensors& request) {
    const absl::Status status = encoder->Infer(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return Message(status);
  };
  EXPECT_THAT(message({}), HasSubstr("either input 'TEXT' or"));
  Tensors request = Request({"a"});
  request[0].name = "QUERY";
  EXPECT_THAT(message(request), HasSubstr("no input 'QUERY'"));
  request = Request({"a"});
  request[0].datatype = Datatype::kFp32;
  EXPECT_THAT(message(request), HasSubstr("'TEXT' has another datatype"));
  request = Request({"a"});
  request[0].shape = {2};
  EXPECT_THAT(message(request), HasSubstr("the elements that its shape [2]"));
  request[0].shape = {1, 1};
  EXPECT_THAT(message(request), HasSubstr("shape [1,1]"));
}

TEST_F(EncoderServableTest, ItsNumberOfInstancesChangesWhileItRuns) {
  const auto encoder = Create({.num_instances = 1});
  ASSERT_NE(encoder, nullptr);
  const auto wanted = Embed(*encoder, {"news", "rain"});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        EXPECT_EQ(Embed(*encoder, {"news", "rain"}), wanted);
      }
    });
  }
  for (const int count : {3, 1, 4, 2}) {
    EXPECT_TRUE(encoder->Resize(count).ok());
    EXPECT_EQ(encoder->counts().batcher->num_instances, count);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(encoder->num_instances(), 2);
  EXPECT_EQ(Embed(*encoder, {"news", "rain"}), wanted);
  EXPECT_FALSE(encoder->Resize(-1).ok());
}

TEST_F(EncoderServableTest, RefusesAForeignTokenizer) {
  WriteVocabulary(Vocabulary() + "one\ntwo\nthree\nfour\nfive\nsix\nseven\n");
  const absl::Status status =
      EncoderServable::Create({.model_folder = folder_}, BestKernels())
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), HasSubstr("vocab_size is 50"));
}

TEST_F(EncoderServableTest, ChecksItsConfig) {
  const auto code = [&](EncoderConfig config) {
    config.model_folder = folder_;
    return EncoderServable::Create(config, BestKernels()).status().code();
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(code({.num_instances = -1}), kInvalid);
  EXPECT_EQ(code({.max_tokens_per_batch = 0}), kInvalid);
  EXPECT_EQ(code({.max_batch_size = -1}), kInvalid);
  EXPECT_EQ(code({.threads_per_instance = 0}), kInvalid);
  EXPECT_EQ(code({.cores = {-1}}), kInvalid);
}

}  // namespace
}  // namespace quaver
