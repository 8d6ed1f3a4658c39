// Tests of a model's shape: presets, config.json, counts.
#include "quaver/train/shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace quaver {
namespace {

using Json = nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kPresets[] = {"tiny", "small", "base", "bench"};

BartShape Preset(const char* name) {
  const auto shape = PresetShape(name);
  EXPECT_TRUE(shape.ok()) << shape.status();
  return *shape;
}

TEST(ShapeTest, EveryPresetIsValid) {
  for (const char* name : kPresets) {
    EXPECT_TRUE(CheckShape(Preset(name)).ok()) << name;
  }
  EXPECT_EQ(Preset("bench").width, 256);
  EXPECT_EQ(Preset("bench").encoder_layers, 3);
  EXPECT_EQ(Preset("bench").decoder_layers, 3);
  const auto none = PresetShape("huge");
  EXPECT_EQ(none.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(none.status()),
              AllOf(HasSubstr("'huge'"), HasSubstr("tiny, small, base")));
}

TEST(ShapeTest, CountsTheWeightsOfBartBase) {
  // What Hugging Face's BartForConditionalGeneration counts.
  EXPECT_EQ(NumParameters(Preset("base")), 139'420'416);
}

TEST(ShapeTest, CountsSixOperationsAWeightThatATokenMeets) {
  const BartShape tiny = Preset("tiny");  // w 64, f 128, v 512, 1 + 1 layers
  EXPECT_EQ(TrainingFlopsPerSourceToken(tiny),
            6.0 * (4 * 64 * 64 + 2 * 64 * 128 + 2 * 64 * 64));
  EXPECT_EQ(TrainingFlopsPerTargetToken(tiny),
            6.0 * (6 * 64 * 64 + 2 * 64 * 128 + 64 * 512));
  BartShape deeper = tiny;
  deeper.encoder_layers = 3;
  EXPECT_EQ(
      TrainingFlopsPerSourceToken(deeper) - TrainingFlopsPerSourceToken(tiny),
      2 * 6.0 * (4 * 64 * 64 + 2 * 64 * 128));
  EXPECT_EQ(TrainingFlopsPerTargetToken(deeper),
            TrainingFlopsPerTargetToken(tiny));
}

TEST(ShapeTest, ConfigIsReadAsItWasWritten) {
  for (const char* name : kPresets) {
    const auto read = ParseBartConfig(ToConfigJson(Preset(name)));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, Preset(name)) << name;
  }
  BartShape shape = Preset("tiny");
  shape.encoder_ffn = 96;
  shape.decoder_heads = 4;
  shape.scale_embedding = true;
  shape.bos_id = 4, shape.pad_id = 5, shape.eos_id = 6;
  shape.decoder_start_id = 7;
  shape.forced_bos = true;
  EXPECT_EQ(*ParseBartConfig(ToConfigJson(shape)), shape);
}

TEST(ShapeTest, ReadsWhatHuggingFaceWrites) {
  // facebook/bart-base's config.json, shortened.
  const auto shape = ParseBartConfig(R"({
    "activation_dropout": 0.1, "activation_function": "gelu",
    "architectures": ["BartModel"], "bos_token_id": 0, "d_model": 768,
    "decoder_attention_heads": 12, "decoder_ffn_dim": 3072,
    "decoder_layers": 6, "decoder_start_token_id": 2, "dropout": 0.1,
    "encoder_attention_heads": 12, "encoder_ffn_dim": 3072,
    "encoder_layers": 6, "eos_token_id": 2, "forced_bos_token_id": 0,
    "forced_eos_token_id": 2, "max_position_embeddings": 1024,
    "model_type": "bart", "pad_token_id": 1, "scale_embedding": false,
    "task_specific_params": {"summarization": {"num_beams": 4}},
    "vocab_size": 50265})");
  ASSERT_TRUE(shape.ok()) << shape.status();
  EXPECT_EQ(*shape, Preset("base"));
}

TEST(ShapeTest, GenerationConfigSaysHowToAnswer) {
  BartShape shape = Preset("small");
  const Json free = Json::parse(ToGenerationConfigJson(shape));
  EXPECT_EQ(free["decoder_start_token_id"], shape.decoder_start_id);
  EXPECT_EQ(free["eos_token_id"], shape.eos_id);
  EXPECT_TRUE(free["forced_bos_token_id"].is_null());
  shape.forced_bos = true;
  shape.max_positions = 32;
  const Json forced = Json::parse(ToGenerationConfigJson(shape));
  EXPECT_EQ(forced["forced_bos_token_id"], shape.bos_id);
  EXPECT_LE(forced["max_length"], 32);  // no more than there are positions
}

// The status of tiny's config.json with one field changed (null: removed).
absl::Status With(const std::string& field, const Json& value) {
  Json config = Json::parse(ToConfigJson(Preset("tiny")));
  if (value.is_null()) {
    config.erase(field);
  } else {
    config[field] = value;
  }
  return ParseBartConfig(config.dump()).status();
}

TEST(ShapeTest, SaysWhatIsNotSupported) {
  for (const auto& [field, value] :
       {std::pair("model_type", Json("t5")), std::pair("model_type", Json()),
        std::pair("activation_function", Json("relu")),
        std::pair("tie_word_embeddings", Json(false)),
        std::pair("forced_bos_token_id", Json(5)),
        std::pair("forced_bos_token_id", Json("<s>"))}) {
    const absl::Status status = With(field, value);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << field;
    EXPECT_THAT(Message(status), HasSubstr(field));
  }
}

TEST(ShapeTest, RefusesDamageAndNamesTheField) {
  for (const char* field :
       {"vocab_size", "d_model", "encoder_layers", "decoder_layers",
        "encoder_attention_heads", "decoder_attention_heads", "encoder_ffn_dim",
        "decoder_ffn_dim", "max_position_embeddings"}) {
    for (const Json& value :
         {Json(), Json("6"), Json(1.5), Json(0), Json(-1), Json(1 << 30),
          Json(uint64_t{1} << 63), Json::array()}) {
      const absl::Status status = With(field, value);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field;
      EXPECT_THAT(Message(status), HasSubstr(field)) << value;
    }
  }
  for (const char* field : {"bos_token_id", "pad_token_id", "eos_token_id",
                            "decoder_start_token_id"}) {
    EXPECT_THAT(Message(With(field, 512)), HasSubstr(field));
    EXPECT_THAT(Message(With(field, -1)), HasSubstr(field));
    EXPECT_THAT(Message(With(field, "2")), HasSubstr(field));
    EXPECT_TRUE(With(field, 511).ok());
    EXPECT_TRUE(With(field, Json()).ok());  // BART's own then
  }
  EXPECT_FALSE(With("scale_embedding", "yes").ok());
  EXPECT_FALSE(With("activation_function", 3).ok());
  EXPECT_THAT(Message(With("max_position_embeddings", 3)),
              HasSubstr("least 4"));
  for (const char* text : {"", "[]", "{", "null", "{}"}) {
    EXPECT_FALSE(ParseBartConfig(text).ok()) << text;
  }
  // Writing it into the message exhausted the stack.
  const std::string deep =
      std::string(500'000, '[') + std::string(500'000, ']');
  EXPECT_FALSE(ParseBartConfig("{\"model_type\":" + deep + "}").ok());
}

TEST(ShapeTest, HeadsShareTheWidthEvenlyAndAreNotTooWide) {
  EXPECT_THAT(Message(With("encoder_attention_heads", 3)),
              HasSubstr("d_model 64 does not give 3 heads"));
  BartShape shape = Preset("bench");
  shape.decoder_heads = 1;  // of 256; at most 128
  EXPECT_FALSE(CheckShape(shape).ok());
  shape.decoder_heads = 2;
  EXPECT_TRUE(CheckShape(shape).ok());
}

}  // namespace
}  // namespace quaver
