// Tests of the files around a model's weights: read back, and the card.
#include "quaver/train/output.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "quaver/base/file.h"
#include "quaver/text/bpe_trainer.h"

namespace quaver {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Folder(const std::string& name) {
  std::string folder = testing::TempDir() + "/output_" + name;
  std::filesystem::remove_all(folder);
  return folder;
}

std::unique_ptr<const Bpe> Tokenizer() {
  BpeTrainer trainer({.vocab_size = 280});
  trainer.Add("purple rain", 3);
  trainer.Add("purple haze", 2);
  return *Bpe::FromSpec(*trainer.Train());
}

BartShape Tiny() { return *PresetShape("tiny"); }

std::string Content(const std::string& path) {
  const auto content = ReadFile(path);
  EXPECT_TRUE(content.ok()) << content.status();
  return content.ok() ? *content : "";
}

Origin SomeOrigin() {
  Origin origin;
  origin.recipe_json = ToJson(*PresetRecipe("tiny"));
  origin.from = "models/old";
  origin.data_hash = "0123456789abcdef";
  origin.num_texts = 1'234;
  origin.steps = 300;
  origin.pairs = 19'200;
  origin.hours = 0.25;
  origin.tokens_per_s = 9'000;
  origin.figures.exact_fix = {{"word", 0.614}, {"clean", 0.99}};
  origin.figures.loss = 1.25;
  return origin;
}

TEST(ModelFilesTest, AreReadBackAsTheyWere) {
  const std::string folder = Folder("model") + "/deep";  // is made
  const auto tokenizer = Tokenizer();
  BartShape shape = Tiny();
  shape.forced_bos = true;
  ASSERT_TRUE(WriteModelFiles(folder, shape, *tokenizer).ok());
  const auto read = ParseBartConfig(Content(folder + "/config.json"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, shape);
  EXPECT_EQ(Content(folder + "/generation_config.json"),
            ToGenerationConfigJson(shape));
  EXPECT_EQ(ToTokenizerJson((*Bpe::Load(folder))->spec()),
            ToTokenizerJson(tokenizer->spec()));
  const auto vocabulary = ParseBpeVocabulary(Content(folder + "/vocab.json"),
                                             Content(folder + "/merges.txt"));
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
  EXPECT_EQ(vocabulary->vocab, tokenizer->spec().vocab);
  EXPECT_EQ(vocabulary->merges, tokenizer->spec().merges);
}

TEST(ModelFilesTest, TokenizerConfigNamesTheSpecialTokens) {
  const std::string folder = Folder("tokenizer");
  ASSERT_TRUE(WriteModelFiles(folder, Tiny(), *Tokenizer()).ok());
  const Json config = Json::parse(Content(folder + "/tokenizer_config.json"));
  EXPECT_EQ(config["tokenizer_class"], "PreTrainedTokenizerFast");
  EXPECT_EQ(config["model_max_length"], 128);
  EXPECT_EQ(config["add_prefix_space"], true);
  EXPECT_EQ(config["bos_token"], "<s>");
  EXPECT_EQ(config["eos_token"], "</s>");
  EXPECT_EQ(config["pad_token"], "<pad>");
  EXPECT_EQ(config["unk_token"], "<unk>");
  EXPECT_EQ(config["mask_token"], "<mask>");
}

TEST(ModelFilesTest, ATokenThatIsNotThereIsNotNamed) {
  BpeSpec spec = Tokenizer()->spec();
  spec.vocab.erase("<mask>");
  std::erase_if(spec.added_tokens,
                [](const auto& token) { return token.text == "<mask>"; });
  const auto tokenizer = Bpe::FromSpec(spec);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const std::string folder = Folder("no_mask");
  ASSERT_TRUE(WriteModelFiles(folder, Tiny(), **tokenizer).ok());
  const Json config = Json::parse(Content(folder + "/tokenizer_config.json"));
  EXPECT_FALSE(config.contains("mask_token"));
  EXPECT_EQ(config["eos_token"], "</s>");
}

TEST(OriginTest, TrainingJsonSaysHowTheModelCameToBe) {
  const std::string folder = Folder("origin");
  ASSERT_TRUE(MakeFolders(folder).ok());
  ASSERT_TRUE(WriteOrigin(folder, Tiny(), SomeOrigin()).ok());
  const Json json = Json::parse(Content(folder + "/training.json"));
  const auto recipe = ApplyJson(*PresetRecipe("small"), json["recipe"].dump());
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_EQ(ToJson(*recipe), ToJson(*PresetRecipe("tiny")));
  EXPECT_EQ(json["from"], "models/old");
  EXPECT_EQ(json["data"]["hash"], "0123456789abcdef");
  EXPECT_EQ(json["data"]["texts"], 1'234);
  EXPECT_EQ(json["weights"], NumParameters(Tiny()));
  EXPECT_EQ(json["steps"], 300);
  EXPECT_EQ(json["pairs"], 19'200);
  EXPECT_EQ(json["hours"], 0.25);
  EXPECT_EQ(json["tokens_per_s"], 9'000);
  EXPECT_EQ(json["figures"]["exact_fix"]["word"], 0.614);
  EXPECT_EQ(json["figures"]["loss"], 1.25);
  EXPECT_DOUBLE_EQ(json["figures"]["false_corrections"], 1 - 0.99);
}

TEST(OriginTest, TheCardHasTheShapeAndTheFigures) {
  const std::string folder = Folder("card");
  ASSERT_TRUE(MakeFolders(folder).ok());
  Origin origin = SomeOrigin();
  origin.pairs = 2'560'000;
  ASSERT_TRUE(WriteOrigin(folder, *PresetShape("base"), origin).ok());
  const std::string card = Content(folder + "/README.md");
  EXPECT_THAT(card, StartsWith("---\nlibrary_name: transformers\n"));
  EXPECT_THAT(card, HasSubstr("6 + 6 layers of width 768 (139.4 M weights, "
                              "50265 tokens)"));
  EXPECT_THAT(card, HasSubstr("300 updates, 2.6 M pairs, 0.2 hours"));
  EXPECT_THAT(card, HasSubstr("|---|---|\n| word | 61.4 % |\n"
                              "| clean | 99.0 % |\n\n"));
}

TEST(OutputTest, AFolderThatCannotBeIsAnError) {
  const std::string file = Folder("file");
  ASSERT_TRUE(WriteFileAtomically(file, "x").ok());
  EXPECT_FALSE(WriteModelFiles(file + "/below", Tiny(), *Tokenizer()).ok());
  EXPECT_FALSE(WriteOrigin(file + "/below", Tiny(), SomeOrigin()).ok());
}

}  // namespace
}  // namespace quaver
