// Tests of a BART's two networks by themselves, over a tiny model.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/backends/bart_decoder_servable.h"
#include "quaver/backends/bart_encoder_servable.h"
#include "quaver/backends/corrector_servable.h"
#include "quaver/backends/detokenizer_servable.h"
#include "quaver/backends/tiny_corrector.h"
#include "quaver/backends/tokenizer_servable.h"
#include "quaver/sched/tensors.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t D = TinyBart::kWidth;
constexpr int64_t V = TinyBart::kVocabulary;

Tensor Numbers(const std::string& name, std::vector<int64_t> shape,
               const std::vector<int64_t>& values) {
  return MakeTensor(name, Datatype::kInt64, std::move(shape), values);
}

Tensor Named(const std::string& name, Tensor tensor) {
  tensor.name = name;
  return tensor;
}

class BartServablesTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/quaver_bart_servables";
    WriteTinyCorrector(folder_);
    encoder_ = BartEncoderServable::Create({folder_, 2}, BestKernels()).value();
    decoder_ = BartDecoderServable::Create({folder_, 2}, BestKernels()).value();
  }

  Tensors Encode(const Tensors& request) {
    return encoder_->Infer(request).value();
  }
  // Every token's logits.
  std::vector<float> Decode(const Tensors& request) {
    return ValuesOf<float>(decoder_->Infer(request).value()[0]);
  }
  std::string Refusal(Servable& servable, const Tensors& request) {
    const absl::Status status = servable.Infer(request).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return Message(status);
  }

  std::string folder_;
  std::unique_ptr<BartEncoderServable> encoder_;
  std::unique_ptr<BartDecoderServable> decoder_;
};

// Tokenise, encode, decode greedily, detokenise: what callers do who have the
// parts only.
TEST_F(BartServablesTest, GreedyDecodingGivesTheCorrectorsAnswer) {
  const auto tokenizer = TokenizerServable::Create({folder_}).value();
  const auto detokenizer = DetokenizerServable::Create({folder_}).value();
  const auto corrector =
      CorrectorServable::Create({.model_folder = folder_}, BestKernels())
          .value();
  for (const std::string text : {"abc de", "q", "many words here", "rain"}) {
    const Tensor given{"TEXT", Datatype::kBytes, {1}, {text}, {}};
    const Tensors ids = tokenizer->Infer({given}).value();
    const Tensors states = Encode(ids);
    std::vector<int64_t> target = {2};  // decoder_start_token_id
    while (target.size() < TinyBart::kPositions &&
           (target.size() == 1 || target.back() != 2)) {
      const std::vector<float> logits =
          Decode({Numbers("DECODER_INPUT_IDS",
                          {1, static_cast<int64_t>(target.size())}, target),
                  states[0],
                  MakeTensor("LAST_ONLY", Datatype::kBool, {1},
                             std::vector<uint8_t>{1})});
      ASSERT_EQ(logits.size(), static_cast<size_t>(V));
      target.push_back(std::max_element(logits.begin(), logits.end()) -
                       logits.begin());
    }
    const Tensors texts =
        detokenizer
            ->Infer({Numbers("INPUT_IDS",
                             {1, static_cast<int64_t>(target.size())}, target)})
            .value();
    const Tensors wanted = corrector->Infer({given}).value();
    EXPECT_GT(target.size(), 2u);
    EXPECT_EQ(CleanUtf8(texts[0].strings[0]), wanted[0].strings[0]);
  }
}

TEST_F(BartServablesTest, RowsOfACallAreThoseOfCallsAlone) {
  const Tensor ids =
      Numbers("INPUT_IDS", {2, 5}, {0, 11, 12, 13, 2, 0, 14, 2, 1, 1});
  const Tensor mask =
      Numbers("ATTENTION_MASK", {2, 5}, {1, 1, 1, 1, 1, 1, 1, 1, 0, 0});
  const Tensors states = Encode({ids, mask});
  ASSERT_EQ(states.size(), 1u);
  EXPECT_EQ(states[0].name, "ENCODER_OUTPUT");
  EXPECT_THAT(states[0].shape, ElementsAre(2, 5, D));
  const auto rows = ValuesOf<float>(states[0]);
  const Tensors alone = Encode({Numbers("INPUT_IDS", {1, 3}, {0, 14, 2})});
  const auto second = ValuesOf<float>(alone[0]);
  ASSERT_EQ(second.size(), static_cast<size_t>(3 * D));
  EXPECT_TRUE(std::equal(second.begin(), second.end(), rows.begin() + 5 * D));
  EXPECT_TRUE(std::all_of(rows.begin() + 8 * D, rows.end(),
                          [](float value) { return value == 0; }));

  const std::vector<float> logits =
      Decode({states[0], Named("ENCODER_ATTENTION_MASK", mask),
              Numbers("DECODER_INPUT_IDS", {2, 3}, {2, 0, 11, 2, 0, 14})});
  EXPECT_EQ(logits.size(), static_cast<size_t>(2 * 3 * V));
  const std::vector<float> of_second =
      Decode({alone[0], Numbers("DECODER_INPUT_IDS", {1, 3}, {2, 0, 14})});
  EXPECT_TRUE(
      std::equal(of_second.begin(), of_second.end(), logits.begin() + 3 * V));
  const Tensor last =
      MakeTensor("LAST_ONLY", Datatype::kBool, {2}, std::vector<uint8_t>{1, 1});
  const Tensors last_rows =
      decoder_
          ->Infer({states[0], Named("ENCODER_ATTENTION_MASK", mask), last,
                   Numbers("DECODER_INPUT_IDS", {2, 3}, {2, 0, 11, 2, 0, 14})})
          .value();
  EXPECT_EQ(last_rows[0].name, "LOGITS");
  EXPECT_THAT(last_rows[0].shape, ElementsAre(2, 1, V));
  const auto lasts = ValuesOf<float>(last_rows[0]);
  EXPECT_TRUE(
      std::equal(lasts.begin(), lasts.begin() + V, logits.begin() + 2 * V));
  EXPECT_TRUE(
      std::equal(lasts.begin() + V, lasts.end(), logits.begin() + 5 * V));
}

TEST_F(BartServablesTest, NoRowsGiveNone) {
  EXPECT_THAT(Encode({Numbers("INPUT_IDS", {0, 4}, {})})[0].shape,
              ElementsAre(0, 4, D));
  const Tensor states = MakeTensor("ENCODER_OUTPUT", Datatype::kFp32, {0, 3, D},
                                   std::vector<float>());
  EXPECT_TRUE(
      Decode({states, Numbers("DECODER_INPUT_IDS", {0, 4}, {})}).empty());
}

TEST_F(BartServablesTest, RefusesWhatDoesNotFit) {
  EXPECT_THAT(Refusal(*encoder_, {}), HasSubstr("no input 'INPUT_IDS'"));
  EXPECT_THAT(Refusal(*encoder_, {Numbers("INPUT_IDS", {1, 1}, {60})}),
              HasSubstr("the id 60"));
  EXPECT_THAT(Refusal(*encoder_, {Numbers("INPUT_IDS", {1, 25},
                                          std::vector<int64_t>(25))}),
              HasSubstr("has 25 tokens; expected 1 to 24"));
  const auto states = [](int64_t rows, int64_t tokens, float value = 0) {
    return MakeTensor(
        "ENCODER_OUTPUT", Datatype::kFp32, {rows, tokens, D},
        std::vector<float>(static_cast<size_t>(rows * tokens * D), value));
  };
  const Tensor target = Numbers("DECODER_INPUT_IDS", {1, 1}, {2});
  EXPECT_THAT(Refusal(*decoder_, {target, states(2, 1)}),
              HasSubstr("'ENCODER_OUTPUT' has 2 rows"));
  EXPECT_THAT(Refusal(*decoder_, {target, states(1, 0)}),
              HasSubstr("a row of 0 states; expected 1 to 24"));
  EXPECT_THAT(Refusal(*decoder_, {target, states(1, 25)}),
              HasSubstr("a row of 25 states"));
  EXPECT_THAT(Refusal(*decoder_, {target, states(1, 2, NAN)}),
              HasSubstr("no finite number"));
  EXPECT_THAT(
      Refusal(*decoder_, {target, states(1, 2),
                          Numbers("ENCODER_ATTENTION_MASK", {1, 2}, {0, 0})}),
      HasSubstr("a row of 0 states"));
  EXPECT_THAT(Refusal(*decoder_, {Numbers("DECODER_INPUT_IDS", {2, 1}, {2, 2}),
                                  states(2, 1),
                                  MakeTensor("LAST_ONLY", Datatype::kBool, {2},
                                             std::vector<uint8_t>{1, 0})}),
              HasSubstr("the same for all rows"));
  const float huge = std::numeric_limits<float>::max();
  EXPECT_EQ(Decode({target, states(1, 2, huge)}).size(),
            static_cast<size_t>(V));  // whatever they are
}

TEST_F(BartServablesTest, RefusesWhatNobodyWants) {
  const Tensors ids = {Numbers("INPUT_IDS", {1, 2}, {0, 2})};
  const std::atomic<bool> cancelled = true;
  CallTimes times;
  EXPECT_TRUE(absl::IsCancelled(
      encoder_->Infer(ids, {.cancelled = &cancelled}, &times).status()));
  EXPECT_EQ(times.compute_us, 0);
  const Tensors states = Encode(ids);
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      decoder_
          ->Infer({states[0], Numbers("DECODER_INPUT_IDS", {1, 1}, {2})},
                  {.deadline_us = 0}, nullptr)
          .status()));
}

TEST_F(BartServablesTest, AChangedCountChangesNoAnswer) {
  const Tensors request = {Numbers("INPUT_IDS", {1, 4}, {0, 7, 9, 2})};
  const auto before = encoder_->Infer(request);
  ASSERT_TRUE(before.ok()) << before.status();
  std::thread caller([&] {
    for (int i = 0; i < 50; ++i) {
      const auto states = encoder_->Infer(request);
      ASSERT_TRUE(states.ok()) << states.status();
      EXPECT_EQ((*states)[0].raw, (*before)[0].raw);
    }
  });
  for (const int count : {3, 1, 2, 0}) {
    EXPECT_TRUE(encoder_->Resize(count).ok());
    EXPECT_TRUE(decoder_->Resize(count).ok());
  }
  caller.join();
  EXPECT_FALSE(encoder_->Resize(-1).ok());
}

TEST_F(BartServablesTest, ChecksItsConfig) {
  const auto refusal = [&](BartNetworkConfig config) {
    config.model_folder = folder_;
    return Message(BartInstances::Create(config, BestKernels()).status());
  };
  EXPECT_THAT(refusal({.num_instances = -1}), HasSubstr("num_instances"));
  EXPECT_THAT(refusal({.max_waiting = -1}), HasSubstr("max_waiting"));
  EXPECT_THAT(refusal({.max_tokens = 0}), HasSubstr("max_tokens"));
  EXPECT_THAT(refusal({.threads_per_instance = 0}),
              HasSubstr("threads_per_instance"));
  EXPECT_THAT(refusal({.cores = {-1}}), HasSubstr("core"));
}

}  // namespace
}  // namespace quaver
