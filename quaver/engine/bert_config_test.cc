// Tests of what Load reads from a model folder, and of what it refuses.
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quaver/engine/bert.h"
#include "quaver/engine/tiny_bert.h"

namespace quaver {
namespace {

using testing::HasSubstr;

TEST(BertConfigTest, ReadsLimits) {
  TinyBert tiny;
  const std::string folder = TestFolder();
  tiny.WriteTo(folder);
  EXPECT_EQ(ReadBertConfig(folder)->max_tokens, TinyBert::kPositions);
  tiny.sentence = {{"max_seq_length", 16}, {"do_lower_case", false}};
  tiny.WriteTo(folder);
  EXPECT_EQ(ReadBertConfig(folder)->max_tokens, 16);
  tiny.sentence["max_seq_length"] = 4000;
  tiny.WriteTo(folder);
  EXPECT_EQ(ReadBertConfig(folder)->max_tokens, TinyBert::kPositions);
}

TEST(BertConfigTest, FindsTheTransformerInAFolderOfItsOwn) {
  TinyBert tiny;
  tiny.Wrap("pooling_mode_cls_token", /*normalize=*/false);
  const std::string folder = TestFolder();
  tiny.WriteTo(folder);
  std::filesystem::create_directory(folder + "/0_Transformer");
  for (const char* file : {"/config.json", "/model.safetensors"}) {
    std::filesystem::rename(folder + file, folder + "/0_Transformer" + file);
  }
  tiny.modules[0]["path"] = "0_Transformer";
  TinyBert::WriteJson(folder + "/modules.json", tiny.modules);
  const auto model = BertModel::Load(folder, BestKernels());
  EXPECT_TRUE(model.ok()) << model.status();
}

TEST(BertConfigTest, RefusesWeightsThatAreNoNumbers) {
  const std::string folder = TestFolder();
  TinyBert().WriteTo(folder);
  const std::string path = folder + "/model.safetensors";
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-4, std::ios::end);
  const float infinity = std::numeric_limits<float>::infinity();
  file.write(reinterpret_cast<const char*>(&infinity), sizeof(infinity));
  file.close();
  const absl::Status status = BertModel::Load(folder, BestKernels()).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("no numbers"));
}

// A change to a good model, and what Load says of it.
struct Refusal {
  const char* name;
  std::function<void(TinyBert&)> change;
  absl::StatusCode code;
  const char* message;
};

class BertRefusalTest : public testing::TestWithParam<Refusal> {};

constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kNotFound = absl::StatusCode::kNotFound;

const Refusal kRefusals[] = {
    {"ModelType", [](TinyBert& t) { t.config["model_type"] = "mpnet"; },
     kUnimplemented, "/config.json: model_type \"mpnet\" is not supported"},
    {"NoModelType", [](TinyBert& t) { t.config.erase("model_type"); },
     kUnimplemented, "/config.json: model_type null"},
    {"Activation", [](TinyBert& t) { t.config["hidden_act"] = "gelu_new"; },
     kUnimplemented, "/config.json: hidden_act \"gelu_new\""},
    {"Positions",
     [](TinyBert& t) { t.config["position_embedding_type"] = "relative_key"; },
     kUnimplemented, "position_embedding_type \"relative_key\""},
    {"Decoder", [](TinyBert& t) { t.config["is_decoder"] = true; },
     kUnimplemented, "is_decoder true"},
    {"Heads", [](TinyBert& t) { t.config["num_attention_heads"] = 5; },
     kInvalid, "hidden_size 24 is not a multiple of num_attention_heads 5"},
    {"Count", [](TinyBert& t) { t.config["vocab_size"] = -1; }, kInvalid,
     "/config.json: vocab_size is not a positive count"},
    {"Fraction", [](TinyBert& t) { t.config["hidden_size"] = 2.5; }, kInvalid,
     "/config.json: hidden_size is not a positive count"},
    {"HugeCount", [](TinyBert& t) { t.config["hidden_size"] = 1ull << 60; },
     kInvalid, "/config.json: hidden_size is not a positive count"},
    {"Epsilon", [](TinyBert& t) { t.config["layer_norm_eps"] = "x"; }, kInvalid,
     "layer_norm_eps is not a number"},
    {"ConfigNoObject", [](TinyBert& t) { t.config = TinyBert::Json::array(); },
     kInvalid, "/config.json is not a JSON object"},
    {"MoreLayers", [](TinyBert& t) { t.config["num_hidden_layers"] = 3; },
     kNotFound, "\"encoder.layer.2.attention.self.query.weight\""},
    {"EndlessLayers",
     [](TinyBert& t) { t.config["num_hidden_layers"] = 2000000000; }, kNotFound,
     "encoder.layer.2."},
    {"Shape", [](TinyBert& t) { t.config["vocab_size"] = 51; }, kInvalid,
     "word_embeddings.weight\" has shape [50, 24]; config.json asks for "
     "[51, 24]"},
    {"MissingTensor",
     [](TinyBert& t) { t.shapes.erase("encoder.layer.1.output.dense.bias"); },
     kNotFound, "encoder.layer.1.output.dense.bias"},
    {"Dense",
     [](TinyBert& t) {
       t.Wrap("pooling_mode_mean_tokens", false);
       t.AddModule("Dense", "2_Dense");
     },
     kUnimplemented, "/modules.json: module 2 of type Dense"},
    {"NoPooling",
     [](TinyBert& t) {
       t.modules = TinyBert::Json::array();
       t.AddModule("Transformer", "");
     },
     kUnimplemented, "/modules.json: a list without Pooling"},
    {"ModuleOutside",
     [](TinyBert& t) {
       t.Wrap("pooling_mode_mean_tokens", false);
       t.modules[1]["path"] = "../elsewhere";
     },
     kInvalid, "/modules.json: path \"../elsewhere\" leaves the folder"},
    {"ModulesNoList", [](TinyBert& t) { t.modules = {{"a", 1}}; }, kInvalid,
     "/modules.json is not a list"},
    {"PoolingKind",
     [](TinyBert& t) { t.Wrap("pooling_mode_lasttoken", false); },
     kUnimplemented, "/1_Pooling/config.json: pooling_mode_lasttoken true"},
    {"TwoPoolings",
     [](TinyBert& t) {
       t.Wrap("pooling_mode_mean_tokens", false);
       t.pooling["pooling_mode_max_tokens"] = true;
     },
     kUnimplemented, "more than one pooling_mode"},
    {"NoPoolingMode",
     [](TinyBert& t) {
       t.Wrap("pooling_mode_mean_tokens", false);
       t.pooling["pooling_mode_mean_tokens"] = false;
     },
     kInvalid, "no pooling_mode is true"},
    {"PoolingAbsent",
     [](TinyBert& t) {
       t.Wrap("pooling_mode_mean_tokens", false);
       t.pooling = nullptr;
     },
     kNotFound, "1_Pooling/config.json"},
    {"LowerCase", [](TinyBert& t) { t.sentence = {{"do_lower_case", true}}; },
     kUnimplemented, "/sentence_bert_config.json: do_lower_case true"},
    {"ShortLimit", [](TinyBert& t) { t.sentence = {{"max_seq_length", 1}}; },
     kInvalid, "max_seq_length leaves no room"},
};

INSTANTIATE_TEST_SUITE_P(All, BertRefusalTest, testing::ValuesIn(kRefusals),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

TEST_P(BertRefusalTest, NamesFileAndField) {
  TinyBert tiny;
  GetParam().change(tiny);
  const std::string folder = TestFolder();
  tiny.WriteTo(folder);
  const absl::Status status = BertModel::Load(folder, BestKernels()).status();
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(Message(status), HasSubstr(GetParam().message));
}

TEST(BertLoadTest, RefusesBrokenFiles) {
  const std::string folder = TestFolder();
  EXPECT_EQ(BertModel::Load(folder, BestKernels()).status().code(), kNotFound);
  TinyBert().WriteTo(folder);
  std::filesystem::resize_file(folder + "/model.safetensors", 3000);
  EXPECT_EQ(BertModel::Load(folder, BestKernels()).status().code(), kInvalid);
  ASSERT_TRUE(WriteFileAtomically(folder + "/config.json", "{").ok());
  EXPECT_EQ(Message(BertModel::Load(folder, BestKernels()).status()),
            folder + "/config.json is not JSON");
  // Copying it exhausted the stack.
  const std::string deep =
      std::string(500'000, '[') + std::string(500'000, ']');
  ASSERT_TRUE(WriteFileAtomically(folder + "/config.json",
                                  "{\"model_type\":" + deep + "}")
                  .ok());
  EXPECT_EQ(BertModel::Load(folder, BestKernels()).status().code(), kInvalid);
}

}  // namespace
}  // namespace quaver
