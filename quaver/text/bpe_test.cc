// Tests of byte-level BPE: training, files, dropout, parity with PyPI's
// tokenizers.
#include "quaver/text/bpe.h"

#include <cstdlib>
#include <filesystem>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/base/file.h"
#include "quaver/text/bpe_trainer.h"
#include "quaver/text/internal/byte_level.h"
#include "quaver/text/internal/golden_strings.h"

namespace quaver {
namespace {

using Json = nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

BpeSpec Train(const std::vector<std::string>& texts, int vocab_size) {
  BpeTrainer trainer({.vocab_size = vocab_size});
  for (const std::string& text : texts) trainer.Add(text);
  auto spec = trainer.Train();
  EXPECT_TRUE(spec.ok()) << spec.status();
  return *std::move(spec);
}

std::unique_ptr<const Bpe> Make(BpeSpec spec) {
  auto tokenizer = Bpe::FromSpec(std::move(spec));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

std::vector<std::string> Words(const std::string& text) {
  std::vector<std::string> words;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = ByteLevelWordEnd(text, begin);
    words.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

TEST(ByteLevelTest, CutsAsThePatternDoes) {
  EXPECT_THAT(Words("don't  stop2 me!!"),
              ElementsAre("don", "'t", " ", " stop", "2", " me", "!!"));
  EXPECT_THAT(Words("we'll 've x'y "),
              ElementsAre("we", "'ll", " '", "ve", " x", "'", "y", " "));
  EXPECT_THAT(Words("a\u00A0b \t c"),
              ElementsAre("a", "\u00A0", "b", " \t", " c"));
  EXPECT_THAT(Words("東京²½é"), ElementsAre("東京", "²½", "é"));
  EXPECT_THAT(Words("   "), ElementsAre("   "));
}

TEST(BpeTrainerTest, MergesTheMostFrequentPairFirst) {
  const BpeSpec spec = Train({"aaab", "aab", "ab", "c c c c"}, 264);
  // " a" stands 3 times, "ab" 3, "aa" 3 (two in "aaab"), " c" 4.
  ASSERT_EQ(spec.merges.size(), 3u);
  EXPECT_EQ(spec.merges[0], std::pair(std::string("Ġ"), std::string("c")));
  EXPECT_EQ(spec.vocab.size(), 264u);
  EXPECT_EQ(spec.vocab.at("<pad>"), 1);
  EXPECT_EQ(spec.vocab.at("Ġc"), 261);
}

TEST(BpeTrainerTest, OrderOfTextsDoesNotMatterAndPairsRunOut) {
  const BpeSpec one = Train({"low lower", "newest widest"}, 300);
  const BpeSpec two = Train({"newest widest", "low lower"}, 300);
  EXPECT_EQ(ToTokenizerJson(one), ToTokenizerJson(two));
  EXPECT_LT(one.vocab.size(), 300u);  // nothing is left that stands twice
}

TEST(BpeTrainerTest, RefusesNoTextAndNoRoom) {
  BpeTrainer nothing;
  nothing.Add("");
  EXPECT_EQ(nothing.Train().status().code(),
            absl::StatusCode::kFailedPrecondition);
  BpeTrainer small({.vocab_size = 261});
  small.Add("a");
  EXPECT_THAT(Message(small.Train().status()), HasSubstr("262"));
}

TEST(BpeTest, WhatWasEncodedIsDecoded) {
  const auto tokenizer =
      Make(Train({"purple rain", "purple haze", "the rain"}, 280));
  for (const std::string text :
       {"purple rain", "x", "Ünïcödé 東京 🔥", "  two  spaces ", "\n"}) {
    const auto ids = tokenizer->Encode(text, 1'000);
    EXPECT_EQ(ids.front(), 0);
    EXPECT_EQ(ids.back(), 2);
    const std::string expected = text.starts_with(' ') ? text : " " + text;
    EXPECT_EQ(tokenizer->Decode(ids), expected);
  }
  EXPECT_THAT(tokenizer->Encode("", 8), ElementsAre(0, 2));
  EXPECT_EQ(tokenizer->Decode(std::vector<int32_t>{-1, 5'000, 0, 2}), "");
  EXPECT_EQ(tokenizer->Encode("\xFF", 8), tokenizer->Encode("\uFFFD", 8));
}

TEST(BpeTest, CutsAtTheLimit) {
  const auto tokenizer = Make(Train({"aa bb", "aa bb"}, 270));
  const auto all = tokenizer->Encode("aa bb aa bb aa", 64);
  const auto some = tokenizer->Encode("aa bb aa bb aa", 5);
  ASSERT_EQ(some.size(), 5u);
  EXPECT_TRUE(std::equal(some.begin(), some.end() - 1, all.begin()));
  EXPECT_EQ(some.back(), 2);
  EXPECT_THAT(tokenizer->Encode("aa", 2), ElementsAre(0, 2));
}

TEST(BpeTest, FindsAddedTokensInTheText) {
  const auto tokenizer = Make(Train({"aa bb"}, 270));
  const auto ids = tokenizer->Encode("aa  <mask> bb</s>", 64);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 4), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 2), 2);
  EXPECT_EQ(tokenizer->Decode(ids), " aa bb");  // <mask> takes spaces before
  EXPECT_EQ(tokenizer->Find("<mask>"), 4);
  EXPECT_EQ(tokenizer->Find("nothing"), std::nullopt);
}

TEST(BpeTest, LongWordsTakeNoLongTime) {
  const auto tokenizer = Make(Train({"aaaa aaaa aaaaaaaa aaaaaaaa"}, 300));
  EXPECT_EQ(tokenizer->Encode(std::string(1 << 20, 'a'), 64).size(), 64u);
}

const char* const kDropoutTexts[] = {
    "purple rain", "the purple rain  in the haze", "x", "Ünïcödé 東京 🔥 rain",
    "\xFF purple", "rain <mask> haze</s>",         ""};

BpeSpec DropoutSpec() {
  BpeSpec spec = Train({"purple rain", "purple haze", "the rain"}, 280);
  EXPECT_EQ(spec.merges.size(), 10u);  // of " purple" and " rain"
  return spec;
}

TEST(BpeDropoutTest, NothingLeftOutGivesTheOrdinaryIds) {
  const auto tokenizer = Make(DropoutSpec());
  for (const char* text : kDropoutTexts) {
    const auto ids = tokenizer->Encode(text, 1'000);
    EXPECT_EQ(tokenizer->Encode(text, 1'000, {}), ids);
    Random random(1);
    EXPECT_EQ(tokenizer->Encode(text, 1'000, {0, &random}), ids);
    EXPECT_EQ(random.Next(), Random(1).Next());  // nothing was drawn
  }
}

TEST(BpeDropoutTest, AllLeftOutGivesTheBytesIds) {
  const auto tokenizer = Make(DropoutSpec());
  BpeSpec without = DropoutSpec();
  without.merges.clear();
  const auto bytes = Make(without);
  for (const char* text : kDropoutTexts) {
    Random random(1);
    EXPECT_EQ(tokenizer->Encode(text, 1'000, {1, &random}),
              bytes->Encode(text, 1'000));
  }
  Random random(1);
  const auto ids = tokenizer->Encode("purple rain", 64, {1, &random});
  EXPECT_EQ(ids.size(), 2 + std::string(" purple rain").size());
  // Added tokens are none of words.
  EXPECT_EQ(tokenizer->Encode("<mask>", 64, {1, &random}),
            tokenizer->Encode("<mask>", 64));
}

TEST(BpeDropoutTest, TheSameSeedGivesTheSameIdsAndAnySeedTheText) {
  const auto tokenizer = Make(DropoutSpec());
  for (const char* text : kDropoutTexts) {
    const auto ordinary = tokenizer->Encode(text, 1'000);
    std::set<std::vector<int32_t>> seen;
    for (uint64_t seed = 0; seed < 200; ++seed) {
      Random random(seed), again(seed);
      const auto ids = tokenizer->Encode(text, 1'000, {0.1, &random});
      EXPECT_EQ(tokenizer->Encode(text, 1'000, {0.1, &again}), ids);
      EXPECT_EQ(tokenizer->Decode(ids), tokenizer->Decode(ordinary));
      EXPECT_EQ(ids.front(), 0);
      EXPECT_EQ(ids.back(), 2);
      seen.insert(ids);
    }
    EXPECT_TRUE(seen.contains(ordinary)) << text;
    Random random(1);
    const auto bytes = tokenizer->Encode(text, 1'000, {1, &random});
    EXPECT_EQ(seen.size() > 5, ordinary != bytes) << text;  // something merges
  }
}

// One merge, one word: it is cut in two in a tenth of the draws.
TEST(BpeDropoutTest, LeavesOutTheShareThatWasAskedFor) {
  const auto tokenizer = Make(Train({"xa a a a"}, 262));
  ASSERT_EQ(tokenizer->spec().merges.size(), 1u);
  ASSERT_EQ(tokenizer->Encode("a", 8).size(), 3u);
  int cut = 0;
  Random random(3);
  for (int i = 0; i < 10'000; ++i) {
    cut += tokenizer->Encode("a", 8, {0.1, &random}).size() == 4 ? 1 : 0;
  }
  EXPECT_NEAR(cut, 1'000, 120);  // four standard deviations
}

TEST(BpeDropoutTest, CutsAtTheLimit) {
  const auto tokenizer = Make(DropoutSpec());
  Random random(1);
  const auto ids = tokenizer->Encode("purple rain", 5, {1, &random});
  ASSERT_EQ(ids.size(), 5u);
  EXPECT_EQ(ids.back(), 2);
  EXPECT_EQ(tokenizer->Decode(ids), " pu");
}

std::string Folder(const std::string& name) {
  const std::string folder = testing::TempDir() + "/bpe_" + name;
  std::filesystem::remove_all(folder);
  EXPECT_TRUE(MakeFolders(folder).ok());
  return folder;
}

TEST(BpeFilesTest, AllThreeAreReadAsTheyWereWritten) {
  const BpeSpec spec = Train({"purple rain", "purple haze", "pure rain"}, 290);
  const auto tokenizer = Make(spec);
  const auto json = ParseBpeJson(ToTokenizerJson(spec));
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(ToTokenizerJson(*json), ToTokenizerJson(spec));
  const std::string folder = Folder("files");
  ASSERT_TRUE(
      WriteFileAtomically(folder + "/vocab.json", ToVocabJson(spec)).ok());
  ASSERT_TRUE(
      WriteFileAtomically(folder + "/merges.txt", ToMergesText(spec)).ok());
  const auto loaded = Bpe::Load(folder);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  // These two files do not say that a space is put before the first word.
  EXPECT_EQ((*loaded)->Encode(" purple rain <mask>", 64),
            tokenizer->Encode("purple rain <mask>", 64));
}

TEST(BpeFilesTest, SaysWhatIsNotSupported) {
  const Json good = Json::parse(ToTokenizerJson(Train({"aa aa"}, 270)));
  const auto message = [&](const char* pointer, const Json& value) {
    Json changed = good;
    changed[Json::json_pointer(pointer)] = value;
    const auto spec = ParseBpeJson(changed.dump());
    return spec.ok() ? "" : Message(spec.status());
  };
  EXPECT_EQ(message("/version", "1.0"), "");
  EXPECT_THAT(message("/model/type", "WordPiece"), HasSubstr("model.type"));
  EXPECT_THAT(message("/model/dropout", 0.1), HasSubstr("model.dropout"));
  EXPECT_THAT(message("/model/byte_fallback", true),
              HasSubstr("byte_fallback"));
  EXPECT_THAT(message("/normalizer", {{"type", "NFC"}}),
              HasSubstr("normalizer"));
  EXPECT_THAT(message("/pre_tokenizer/type", "Whitespace"),
              HasSubstr("pre_tokenizer"));
  EXPECT_THAT(message("/model/merges/0", "x"), HasSubstr("merge 1"));
  EXPECT_THAT(message("/model/merges/0", "zz yy"), HasSubstr("merge 1"));
  EXPECT_THAT(message("/model/vocab/a", -1), HasSubstr("'a' has the id -1"));
  EXPECT_THAT(message("/model/vocab/a", 7), HasSubstr("two tokens"));
  EXPECT_THAT(message("/added_tokens/0/id", 77'777), HasSubstr("'<s>' has"));
  EXPECT_THAT(message("/added_tokens/0/single_word", true),
              HasSubstr("single_word"));
  EXPECT_NE(message("/model", 3), "");
  for (const char* text : {"", "[]", "{", "{}", "null"}) {
    EXPECT_FALSE(ParseBpeJson(text).ok()) << text;
  }
  EXPECT_THAT(Message(Bpe::Load(Folder("none")).status()),
              HasSubstr("vocab.json"));
}

// What the fuzzers found or were written for.
TEST(BpeFilesTest, RefusesIdsThatAreNone) {
  const Json good = Json::parse(ToTokenizerJson(Train({"aa aa"}, 270)));
  const auto message = [&](const char* pointer, const Json& value) {
    Json changed = good;
    changed[Json::json_pointer(pointer)] = value;
    const auto spec = ParseBpeJson(changed.dump());
    return spec.ok() ? "" : Message(spec.status());
  };
  for (const Json& id : {Json(1.5), Json(6e24), Json(uint64_t{1} << 63),
                         Json((int64_t{1} << 32) + 5), Json(1 << 20),
                         Json(true), Json("5"), Json()}) {
    EXPECT_THAT(message("/model/vocab/a", id), HasSubstr("'a' has the id"));
    EXPECT_THAT(message("/added_tokens/0/id", id), HasSubstr("'<s>' has the"));
    EXPECT_THAT(message("/post_processor/special_tokens/<s>/ids/0", id),
                HasSubstr("'<s>' has the id"));
    EXPECT_THAT(message("/post_processor", {{"type", "RobertaProcessing"},
                                            {"cls", {"<s>", id}},
                                            {"sep", {"</s>", 2}}}),
                HasSubstr("'cls' has the id"));
  }
  const char* before = "/post_processor/special_tokens/<s>/ids";
  EXPECT_THAT(message(before, {9'999}), HasSubstr("9999, which no token has"));
  EXPECT_EQ(message(before, {0, 0, 0}), "");
  EXPECT_THAT(message(before, {0, 0, 0, 0}), HasSubstr("at most 4 tokens"));
  EXPECT_THAT(message("/added_tokens/-", {{"content", "<new>"}, {"id", 7}}),
              HasSubstr("two tokens have the id 7"));
}

TEST(BpeFilesTest, RefusesMergesThatCannotBeWritten) {
  const char* vocab = R"({"a":0,"b":1," ":2,"a b":3," b":4,"b\r":5,"ab\r":6})";
  for (const char* merges : {"a  b\n", "a b\r\r\n"}) {
    EXPECT_THAT(Message(ParseBpeVocabulary(vocab, merges).status()),
                HasSubstr("merge 1 holds a space"));
  }
}

TEST(BpeFilesTest, TokensAroundNeedNotBeAddedOnes) {
  BpeSpec spec = Train({"aa aa"}, 270);
  spec.added_tokens.clear();
  const auto read = ParseBpeJson(ToTokenizerJson(spec));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->before, spec.before);
  EXPECT_EQ(read->after, spec.after);
}

TEST(BpeFilesTest, DeepNestingIsRefused) {
  const std::string deep =
      std::string(500'000, '[') + std::string(500'000, ']');
  EXPECT_FALSE(ParseBpeJson("{\"normalizer\":" + deep + "}").ok());
  EXPECT_FALSE(ParseBpeVocabulary("{\"a\":" + deep + "}", "").ok());
}

// Trained on the golden strings themselves; with QUAVER_WRITE_GOLDEN set it
// writes the tokenizer that tools/golden_bpe.py reads.
TEST(BpeGoldenTest, EqualsTokenizersOnEveryString) {
  const std::string golden = QUAVER_SOURCE_DIR "/tests/golden";
  const auto fragments = ReadFile(golden + "/wordpiece.json");
  ASSERT_TRUE(fragments.ok());
  const GoldenStrings strings(Json::parse(*fragments));
  BpeTrainer trainer({.vocab_size = 1'000});
  for (uint64_t i = 0; i < 2'000; ++i) trainer.Add(strings.Make(i).first);
  auto spec = trainer.Train();
  ASSERT_TRUE(spec.ok()) << spec.status();
  const std::string path = golden + "/bpe_tokenizer.json";
  if (std::getenv("QUAVER_WRITE_GOLDEN") != nullptr) {
    ASSERT_TRUE(WriteFileAtomically(path, ToTokenizerJson(*spec)).ok());
  }
  const auto written = ReadFile(path);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(*written, ToTokenizerJson(*spec));

  const auto content = ReadFile(golden + "/bpe.json");
  ASSERT_TRUE(content.ok()) << content.status();
  std::string hashes;
  const Json rows = Json::parse(*content);
  for (const std::string row : rows["hashes"]) hashes += row;
  ASSERT_EQ(hashes.size(), 8 * 20'000u);
  const auto with_space = Make(*spec);
  spec->add_prefix_space = false;
  const auto without = Make(*spec);
  for (uint64_t i = 0; i < 20'000; ++i) {
    const std::string text = strings.Make(i).first;
    const auto ids = (i % 2 ? with_space : without)->Encode(text, 1 << 20);
    ASSERT_EQ(Fnv1a(ids), hashes.substr(8 * i, 8))
        << "string " << i << ": " << testing::PrintToString(text) << "\ngives "
        << testing::PrintToString(ids);
  }
}

}  // namespace
}  // namespace quaver
