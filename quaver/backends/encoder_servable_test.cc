// Tests of the encoder servable over a tiny model and a tiny vocabulary.
#include "quaver/backends/encoder_servable.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/engine/tiny_bert.h"

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
  ASSERT_EQ(encoder->inputs().size(), 1u);
  EXPECT_EQ(encoder->inputs()[0].name, "TEXT");
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

TEST_F(EncoderServableTest, RefusesOtherTensors) {
  const auto encoder = Create();
  ASSERT_NE(encoder, nullptr);
  const auto message = [&](const Tensors& request) {
    const absl::Status status = encoder->Infer(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return Message(status);
  };
  EXPECT_THAT(message({}), HasSubstr("one input named TEXT"));
  Tensors request = Request({"a"});
  request[0].name = "QUERY";
  EXPECT_THAT(message(request), HasSubstr("one input named TEXT"));
  request = Request({"a"});
  request[0].datatype = Datatype::kFp32;
  EXPECT_THAT(message(request), HasSubstr("not of datatype BYTES"));
  request = Request({"a"});
  request[0].shape = {2};
  EXPECT_THAT(message(request), HasSubstr("shape [2] and 1 elements"));
  request[0].shape = {1, 1};
  EXPECT_THAT(message(request), HasSubstr("shape [1, 1]"));
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
  EXPECT_EQ(EncoderServable::Create(
                {.model_folder = folder_, .num_instances = -1}, BestKernels())
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace quaver
