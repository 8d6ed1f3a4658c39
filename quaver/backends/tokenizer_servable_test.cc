// Tests of tokenizer and detokenizer over both kinds of vocabulary.
#include "quaver/backends/tokenizer_servable.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/backends/detokenizer_servable.h"
#include "quaver/backends/tiny_corrector.h"
#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Tensor Texts(const std::vector<std::string>& texts) {
  return {"TEXT",
          Datatype::kBytes,
          {static_cast<int64_t>(texts.size())},
          texts,
          {}};
}

Tensor Ids(std::vector<int64_t> shape, const std::vector<int64_t>& ids) {
  return MakeTensor("INPUT_IDS", Datatype::kInt64, std::move(shape), ids);
}

class TokenizerServableTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/quaver_tokenizer_servable";
    std::filesystem::remove_all(folder_);
    TinyBart::Must(MakeFolders(folder_));
  }

  void WriteWordPiece() const {
    TinyBart::Must(WriteFileAtomically(
        folder_ + "/vocab.txt",
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nsong\nrain\n##s\n!\n"));
    TinyBart::Must(WriteFileAtomically(
        folder_ + "/tokenizer_config.json",
        R"({"do_lower_case": true, "tokenizer_class": "BertTokenizer"})"));
  }

  std::unique_ptr<TokenizerServable> Tokenizer(int max_tokens = 512) const {
    return TokenizerServable::Create({folder_, max_tokens}).value();
  }
  std::unique_ptr<DetokenizerServable> Detokenizer() const {
    return DetokenizerServable::Create({folder_}).value();
  }

  std::string folder_;
};

TEST_F(TokenizerServableTest, WordPieceThereAndBack) {
  WriteWordPiece();
  const auto tokenizer = Tokenizer();
  const Tensors ids =
      tokenizer->Infer({Texts({"Songs!", "", "rain rain what"})}).value();
  ASSERT_EQ(ids.size(), 2u);
  EXPECT_EQ(ids[0].name, "INPUT_IDS");
  EXPECT_THAT(ids[0].shape, ElementsAre(3, 5));
  EXPECT_THAT(ValuesOf<int64_t>(ids[0]),
              ElementsAre(2, 5, 7, 8, 3, 2, 3, 0, 0, 0, 2, 6, 6, 1, 3));
  EXPECT_EQ(ids[1].name, "ATTENTION_MASK");
  EXPECT_THAT(ids[1].shape, ElementsAre(3, 5));
  EXPECT_THAT(ValuesOf<int64_t>(ids[1]),
              ElementsAre(1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1));
  const Tensors texts = Detokenizer()->Infer(ids).value();
  ASSERT_EQ(texts.size(), 1u);
  EXPECT_EQ(texts[0].name, "TEXT");
  EXPECT_THAT(texts[0].strings, ElementsAre("songs!", "", "rain rain"));
}

TEST_F(TokenizerServableTest, ByteLevelBpeThereAndBack) {
  WriteTinyVocabulary(folder_, 60);
  const std::vector<std::string> given = {"a song", "", "abc de\nf"};
  const Tensors ids = Tokenizer()->Infer({Texts(given)}).value();
  EXPECT_THAT(ids[0].shape, ElementsAre(3, 9));
  const auto values = ValuesOf<int64_t>(ids[0]);
  EXPECT_EQ(values[0], 0);                                             // <s>
  EXPECT_THAT(std::span(values).subspan(9, 3), ElementsAre(0, 2, 1));  // <pad>
  EXPECT_THAT(Detokenizer()->Infer(ids).value()[0].strings,
              testing::ElementsAreArray(given));
  // Without a mask padding is what it is: a special token.
  EXPECT_THAT(Detokenizer()->Infer({ids[0]}).value()[0].strings,
              testing::ElementsAreArray(given));
}

TEST_F(TokenizerServableTest, WhatIsNoUtf8IsReplaced) {
  WriteTinyVocabulary(folder_, 60);  // 6 is the byte 0xff
  EXPECT_THAT(
      Detokenizer()->Infer({Ids({1, 3}, {10, 6, 11})}).value()[0].strings,
      ElementsAre("a\ufffdb"));
}

TEST_F(TokenizerServableTest, DropsWhatIsTooLong) {
  WriteWordPiece();
  const Tensors ids =
      Tokenizer(4)->Infer({Texts({"rain rain rain rain"})}).value();
  EXPECT_THAT(ValuesOf<int64_t>(ids[0]), ElementsAre(2, 6, 6, 3));
}

TEST_F(TokenizerServableTest, NothingForNothing) {
  WriteWordPiece();
  const Tensors ids = Tokenizer()->Infer({Texts({})}).value();
  EXPECT_THAT(ids[0].shape, ElementsAre(0, 0));
  EXPECT_TRUE(Detokenizer()->Infer(ids).value()[0].strings.empty());
}

TEST_F(TokenizerServableTest, RefusesWhatItCannotDo) {
  WriteWordPiece();
  const auto message = [](Servable& servable, const Tensors& request) {
    const absl::Status status = servable.Infer(request).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return Message(status);
  };
  const auto tokenizer = Tokenizer(TokenizerServable::kGreatestMaxTokens);
  const auto detokenizer = Detokenizer();
  EXPECT_THAT(message(*tokenizer, {}), HasSubstr("no input 'TEXT'"));
  std::string long_text;
  for (int i = 0; i < 60'000; ++i) long_text += "rain ";
  std::vector<std::string> texts(2'000);
  texts.push_back(long_text);
  EXPECT_THAT(message(*tokenizer, {Texts(texts)}), HasSubstr("fewer rows"));
  EXPECT_THAT(message(*detokenizer, {Ids({1, 1}, {9})}),
              HasSubstr("the id 9; ids are 0 to 8"));
  EXPECT_THAT(message(*detokenizer, {Ids({int64_t{1} << 61, 0}, {})}),
              HasSubstr("rows; at most"));
  const std::atomic<bool> cancelled = true;
  const CallOptions options{.cancelled = &cancelled};
  EXPECT_TRUE(absl::IsCancelled(
      tokenizer->Infer({Texts({"a"})}, options, nullptr).status()));
  EXPECT_TRUE(absl::IsCancelled(
      detokenizer->Infer({Ids({1, 1}, {2})}, options, nullptr).status()));
}

TEST_F(TokenizerServableTest, NeedsATokenizer) {
  EXPECT_FALSE(TokenizerServable::Create({folder_}).ok());
  EXPECT_FALSE(DetokenizerServable::Create({folder_}).ok());
  WriteWordPiece();
  EXPECT_TRUE(absl::IsInvalidArgument(
      TokenizerServable::Create({folder_, 3}).status()));
  TinyBart::Must(WriteFileAtomically(folder_ + "/tokenizer.json", "{"));
  EXPECT_TRUE(
      absl::IsInvalidArgument(TokenizerServable::Create({folder_}).status()));
}

}  // namespace
}  // namespace quaver
