// Tests of WordPiece; parity with PyPI's tokenizers from a golden file.
#include "quaver/text/wordpiece.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/base/file.h"
#include "quaver/text/internal/golden_strings.h"

namespace quaver {
namespace {

using Json = nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Json SpecialToken(const char* text, int id) {
  return {{"id", id}, {"content", text}, {"normalized", false}};
}

Json TinyTokenizer() {
  const char* text = R"({
    "added_tokens": [],
    "normalizer": {"type": "BertNormalizer", "clean_text": true,
      "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "[CLS]"}}, {"Sequence": {"id": "A"}},
                 {"SpecialToken": {"id": "[SEP]"}}],
      "special_tokens": {"[CLS]": {"ids": [1]}, "[SEP]": {"ids": [2]}}},
    "model": {"type": "WordPiece", "unk_token": "[UNK]",
      "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
      "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[MASK]": 3, "sun": 4,
        "##sun": 5, "##s": 6, "su": 7, "!": 8, "e": 9, "东": 10, "#": 11,
        "[": 12, "s": 13}}})";
  Json json = Json::parse(text);
  json["added_tokens"] = {SpecialToken("[MASK]", 3), SpecialToken("[M", 20)};
  return json;
}

std::unique_ptr<const WordPiece> Make(const Json& json) {
  auto tokenizer = WordPiece::FromJson(json.dump());
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

TEST(WordPieceTest, TakesTheLongestPieces) {
  const auto tokenizer = Make(TinyTokenizer());
  EXPECT_THAT(tokenizer->Encode("Sunsuns!", 64), ElementsAre(1, 4, 5, 6, 8, 2));
  EXPECT_THAT(tokenizer->Encode("sux sun", 64), ElementsAre(1, 0, 4, 2));
  EXPECT_THAT(tokenizer->Encode("##sun", 64), ElementsAre(1, 11, 11, 4, 2));
  EXPECT_THAT(tokenizer->Encode("é东É", 64), ElementsAre(1, 9, 10, 9, 2));
  EXPECT_THAT(tokenizer->Encode("", 64), ElementsAre(1, 2));
  EXPECT_EQ(tokenizer->vocab_size(), 21);
}

TEST(WordPieceTest, FindsTheLongestAddedTokenInRawText) {
  const auto tokenizer = Make(TinyTokenizer());
  EXPECT_THAT(tokenizer->Encode("sun[MASK]s[M[mask", 64),
              ElementsAre(1, 4, 3, 13, 20, 12, 0, 2));
}

TEST(WordPieceTest, DecodesWithoutSpecialTokens) {
  const auto tokenizer = Make(TinyTokenizer());
  const auto decode = [&](const std::vector<int32_t>& ids) {
    return tokenizer->Decode(ids);
  };
  EXPECT_EQ(decode({1, 4, 5, 6, 8, 2}), "sunsuns!");
  EXPECT_EQ(decode({1, 7, 4, 3, 10, 20, 9, 2, 0}), "su sun 东 e [UNK]");
  EXPECT_EQ(decode({5, 4}), "##sun sun");  // as `tokenizers` has it
  EXPECT_EQ(decode({-1, 4, 19, 21, 1 << 30}), "sun");
  EXPECT_EQ(decode({}), "");
  EXPECT_EQ(tokenizer->pad_id(), 0);
  Json json = TinyTokenizer();
  json["added_tokens"].push_back(SpecialToken("[PAD]", 14));
  EXPECT_EQ(Make(json)->pad_id(), 14);
}

TEST(WordPieceTest, Truncates) {
  const auto tokenizer = Make(TinyTokenizer());
  EXPECT_THAT(tokenizer->Encode("sunsuns sun", 2), ElementsAre(1, 2));
  EXPECT_THAT(tokenizer->Encode("sunsuns sun", 4), ElementsAre(1, 4, 5, 2));
  EXPECT_THAT(tokenizer->Encode("[MASK] sun", 3), ElementsAre(1, 3, 2));
}

TEST(WordPieceTest, LongWordsAreUnknownAndLongTextsAreCheap) {
  const auto tokenizer = Make(TinyTokenizer());
  EXPECT_EQ(tokenizer->Encode(std::string(100, 's'), 512).size(), 102u);
  EXPECT_THAT(tokenizer->Encode(std::string(101, 's'), 512),
              ElementsAre(1, 0, 2));
  EXPECT_THAT(tokenizer->Encode(std::string(10'000'000, 's'), 512),
              ElementsAre(1, 0, 2));
  std::string marks = "s";
  for (int i = 0; i < 1'000'000; ++i) marks += "\u302E";
  EXPECT_THAT(tokenizer->Encode(marks, 512), ElementsAre(1, 0, 2));
}

TEST(WordPieceTest, OptionsOfTheNormalizer) {
  Json json = TinyTokenizer();
  json["normalizer"]["lowercase"] = false;
  EXPECT_THAT(Make(json)->Encode("e E é", 64), ElementsAre(1, 9, 0, 0, 2));
  json["normalizer"]["strip_accents"] = true;
  EXPECT_THAT(Make(json)->Encode("e E é", 64), ElementsAre(1, 9, 0, 9, 2));
  json["normalizer"]["handle_chinese_chars"] = false;
  EXPECT_THAT(Make(json)->Encode("e东", 64), ElementsAre(1, 0, 2));
  json["normalizer"]["clean_text"] = false;
  EXPECT_THAT(Make(json)->Encode("e\x01", 64), ElementsAre(1, 0, 2));
}

TEST(WordPieceTest, ReadsBertProcessing) {
  Json json = TinyTokenizer();
  json["post_processor"] = {
      {"type", "BertProcessing"}, {"cls", {"[CLS]", 1}}, {"sep", {"[SEP]", 2}}};
  EXPECT_THAT(Make(json)->Encode("e", 64), ElementsAre(1, 9, 2));
}

void ExpectRefused(const Json& json, absl::StatusCode code,
                   const std::string& field) {
  const auto tokenizer = WordPiece::FromJson(json.dump());
  ASSERT_EQ(tokenizer.status().code(), code) << field;
  EXPECT_THAT(Message(tokenizer.status()), HasSubstr(field));
}

TEST(WordPieceTest, RefusesOtherTokenizersByTheField) {
  const std::pair<const char*, Json> fields[] = {
      {"/model/type", "BPE"},
      {"/model/continuing_subword_prefix", "@@"},
      {"/normalizer/type", "Sequence"},
      {"/normalizer", nullptr},
      {"/pre_tokenizer/type", "Whitespace"},
      {"/post_processor/type", "RobertaProcessing"},
      {"/post_processor/single", Json::array()},
      {"/added_tokens/0/lstrip", true},
      {"/truncation", {{"direction", "Left"}}},
  };
  for (const auto& [pointer, value] : fields) {
    Json json = TinyTokenizer();
    json[Json::json_pointer(pointer)] = value;
    std::string field = std::string(pointer).substr(1);
    field = field.substr(field.rfind('/') + 1);
    ExpectRefused(json, absl::StatusCode::kUnimplemented, field);
  }
}

TEST(WordPieceTest, RefusesDamagedFilesByTheField) {
  const std::pair<const char*, Json> fields[] = {
      {"/model/vocab", 7},
      {"/model/vocab/sun", "four"},
      {"/model/vocab/sun", -1},
      {"/model/vocab/sun", 1u << 24},
      {"/model/vocab/sun", 1.5},
      {"/model/unk_token", "missing"},
      {"/model/max_input_chars_per_word", nullptr},
      {"/normalizer/lowercase", "yes"},
      {"/post_processor/special_tokens", Json::object()},
      {"/added_tokens", 3},
      {"/added_tokens/1/content", nullptr},
  };
  for (const auto& [pointer, value] : fields) {
    Json json = TinyTokenizer();
    json[Json::json_pointer(pointer)] = value;
    const std::string field = std::string(pointer).substr(1);
    ExpectRefused(json, absl::StatusCode::kInvalidArgument,
                  field.substr(0, field.find('/')));
  }
  EXPECT_EQ(WordPiece::FromJson("{\"model\":").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(WordPiece::FromJson("").ok());
  // Writing it into the message exhausted the stack.
  const std::string deep =
      std::string(500'000, '[') + std::string(500'000, ']');
  EXPECT_FALSE(WordPiece::FromJson(R"({"model":{"type":)" + deep + "}}").ok());
}

std::string Folder(const std::string& name) {
  const std::string path = testing::TempDir() + "/quaver_text_" + name;
  std::filesystem::remove_all(path);
  EXPECT_TRUE(MakeFolders(path).ok());
  return path;
}

void Write(const std::string& path, const std::string& content) {
  ASSERT_TRUE(WriteFileAtomically(path, content).ok());
}

TEST(WordPieceTest, LoadsAVocabularyFile) {
  const std::string folder = Folder("vocab");
  Write(folder + "/vocab.txt", "[PAD]\r\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nE\n##e");
  Write(folder + "/tokenizer_config.json", R"({"do_lower_case": false})");
  const auto tokenizer = WordPiece::Load(folder);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_THAT((*tokenizer)->Encode("Ee[MASK]e[PAD]", 64),
              ElementsAre(2, 5, 6, 4, 1, 0, 3));
  Write(folder + "/tokenizer_config.json",
        R"({"tokenizer_class": "RobertaTokenizer"})");
  EXPECT_THAT(Message(WordPiece::Load(folder).status()),
              HasSubstr("tokenizer_class"));
  Write(folder + "/tokenizer_config.json", "{}");
  Write(folder + "/vocab.txt", "[UNK]\n[SEP]\n");
  EXPECT_THAT(Message(WordPiece::Load(folder).status()), HasSubstr("[CLS]"));
}

TEST(WordPieceTest, SaysWhatIsMissingInAFolder) {
  const std::string folder = Folder("empty");
  const auto tokenizer = WordPiece::Load(folder);
  EXPECT_EQ(tokenizer.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(tokenizer.status()), HasSubstr("vocab.txt"));
}

TEST(WordPieceGoldenTest, EqualsTokenizersOnEveryString) {
  const std::string folder = QUAVER_SOURCE_DIR "/build/models/minilm";
  const auto tokenizer = WordPiece::Load(folder);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status() << "\nrun `make setup`";
  const auto content =
      ReadFile(QUAVER_SOURCE_DIR "/tests/golden/wordpiece.json");
  ASSERT_TRUE(content.ok()) << content.status();
  const Json golden = Json::parse(*content);
  std::string hashes;
  for (const std::string row : golden["hashes"]) hashes += row;
  const size_t num_strings = golden["strings"];
  ASSERT_EQ(num_strings, 20'000u);
  ASSERT_EQ(hashes.size(), 8 * num_strings);
  const GoldenStrings strings(golden);
  for (size_t i = 0; i < num_strings; ++i) {
    const auto [text, limit] = strings.Make(i);
    const std::vector<int32_t> ids = (*tokenizer)->Encode(text, limit);
    ASSERT_EQ(Fnv1a(ids), hashes.substr(8 * i, 8))
        << "string " << i << ", at most " << limit
        << " tokens: " << testing::PrintToString(text) << "\ngives "
        << testing::PrintToString(ids);
  }
}

}  // namespace
}  // namespace quaver
