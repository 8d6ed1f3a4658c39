// Tests of recipes: presets, their JSON, what is refused, the learning rate.
#include "quaver/train/recipe.h"

#include <cmath>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace quaver {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Recipe Preset(const char* name) {
  const auto recipe = PresetRecipe(name);
  EXPECT_TRUE(recipe.ok()) << recipe.status();
  return *recipe;
}

// The message with which a change of the small recipe is refused, or "".
std::string Refusal(const std::string& json) {
  const auto recipe = ApplyJson(Preset("small"), json);
  if (recipe.ok()) return "";
  EXPECT_EQ(recipe.status().code(), absl::StatusCode::kInvalidArgument);
  return Message(recipe.status());
}

TEST(RecipeTest, EveryPresetIsValidAndNamed) {
  for (const char* name : {"tiny", "small", "base"}) {
    EXPECT_TRUE(CheckRecipe(Preset(name)).ok()) << name;
    EXPECT_EQ(Preset(name).preset, name);
  }
  EXPECT_EQ(ToJson(Preset("small")), ToJson(Recipe()));
  const auto none = PresetRecipe("huge");
  EXPECT_EQ(none.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(none.status()),
              AllOf(HasSubstr("'huge'"), HasSubstr("tiny, small, base")));
}

TEST(RecipeTest, IsReadAsItWasWritten) {
  Recipe recipe = Preset("tiny");
  recipe.seed = ~uint64_t{0};
  recipe.learning_rate = 0.1 + 0.2;  // needs all its digits
  recipe.schedule = "linear";
  recipe.optimizer = "adamw";
  recipe.bpe_dropout = 0.1;
  recipe.pairs.popularity_bias = 2.5;
  recipe.pairs.seed = 99;
  const auto read = ApplyJson(Preset("base"), ToJson(recipe));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->learning_rate, recipe.learning_rate);
  EXPECT_EQ(read->optimizer, "adamw");
  EXPECT_EQ(read->bpe_dropout, 0.1);
  EXPECT_EQ(read->pairs.seed, 99u);
  EXPECT_EQ(ToJson(*read), ToJson(recipe));
}

TEST(RecipeTest, JsonChangesOnlyWhatItNames) {
  Recipe want = Preset("small");
  want.steps = 7;
  want.clip = 2;  // a whole number is a number
  want.pairs.clean = 0.25;
  const auto recipe = ApplyJson(
      Preset("small"), R"({"steps": 7, "clip": 2, "pairs_clean": 0.25})");
  ASSERT_TRUE(recipe.ok()) << recipe.status();
  EXPECT_EQ(ToJson(*recipe), ToJson(want));
  EXPECT_EQ(ToJson(*ApplyJson(want, "{}")), ToJson(want));
}

TEST(RecipeTest, RefusesAFieldThatDoesNotExist) {
  EXPECT_THAT(Refusal(R"({"step": 1})"),
              AllOf(HasSubstr("no field 'step'"), HasSubstr("steps,")));
  EXPECT_THAT(Refusal(R"({"steps": 1, "preset ": "tiny"})"),
              HasSubstr("'preset '"));
  EXPECT_THAT(Refusal(R"({"": 1})"), HasSubstr("no field ''"));
}

TEST(RecipeTest, RefusesAValueOfAnotherType) {
  EXPECT_THAT(Refusal(R"({"steps": 1.5})"), HasSubstr("steps cannot be 1.5"));
  EXPECT_THAT(Refusal(R"({"steps": "1"})"), HasSubstr("steps cannot be \"1\""));
  EXPECT_THAT(Refusal(R"({"steps": null})"), HasSubstr("steps cannot be null"));
  EXPECT_THAT(Refusal(R"({"steps": 1e30})"), HasSubstr("steps"));
  EXPECT_THAT(Refusal(R"({"clip": true})"), HasSubstr("clip cannot be true"));
  EXPECT_THAT(Refusal(R"({"schedule": 1})"), HasSubstr("schedule cannot be 1"));
  EXPECT_THAT(Refusal(R"({"optimizer": true})"),
              HasSubstr("optimizer cannot be true"));
  EXPECT_THAT(Refusal(R"({"bpe_dropout": "0.1"})"),
              HasSubstr("bpe_dropout cannot be \"0.1\""));
  for (const char* json : {"", "[]", "3", "{", "null", "{\"steps\"}"}) {
    EXPECT_THAT(Refusal(json), HasSubstr("JSON object")) << json;
  }
  // Writing it into the message exhausted the stack.
  const std::string deep =
      std::string(500'000, '[') + std::string(500'000, ']');
  EXPECT_THAT(Refusal("{\"steps\":" + deep + "}"), HasSubstr("JSON object"));
}

TEST(RecipeTest, RefusesValuesOutOfTheirRange) {
  for (const char* bad : {R"("steps": 0)",
                          R"("batch_pairs": 0)",
                          R"("batch_pairs": 1000000001)",
                          R"("steps": 9223372036854775807)",
                          R"("micro_tokens": -1)",
                          R"("evaluate_every": 0)",
                          R"("held_out_rows": 0)",
                          R"("checkpoint_every": 0)",
                          R"("final_learning_rate": 1.1)",
                          R"("label_smoothing": -0.1)",
                          R"("dropout": 1)",
                          R"("bpe_dropout": 1)",
                          R"("bpe_dropout": -0.1)",
                          R"("average": 1)",
                          R"("weight_decay": -1)",
                          R"("clip": -1)",
                          R"("learning_rate": 0)",
                          R"("learning_rate": 2)",
                          R"("warmup": -1)",
                          R"("patience": -1)",
                          R"("max_tokens": 3)",
                          R"("max_tokens": 257)",
                          R"("schedule": "wave")",
                          R"("optimizer": "sgd")",
                          R"("optimizer": "")",
                          R"("precision": "int8")"}) {
    const std::string name = std::string(bad).substr(1, strcspn(bad + 1, "\""));
    EXPECT_THAT(Refusal(fmt::format("{{{}}}", bad)),
                HasSubstr(name + " has to be"))
        << bad;
  }
  Recipe recipe;
  recipe.learning_rate = NAN;
  EXPECT_FALSE(CheckRecipe(recipe).ok());
  recipe = Recipe();
  recipe.clip = INFINITY;
  EXPECT_FALSE(CheckRecipe(recipe).ok());
  recipe = Recipe();
  recipe.bpe_dropout = NAN;
  EXPECT_THAT(Message(CheckRecipe(recipe)), HasSubstr("bpe_dropout"));
}

TEST(RecipeTest, ValuesAtTheEndsOfTheirRangesAreTaken) {
  EXPECT_EQ(Refusal(R"({"steps": 1, "warmup": 0, "patience": 0, "clip": 0,
                        "average": 0, "dropout": 0, "label_smoothing": 1,
                        "final_learning_rate": 0, "max_tokens": 256,
                        "learning_rate": 1, "bpe_dropout": 0,
                        "optimizer": "muon"})"),
            "");
  EXPECT_EQ(Refusal(R"({"bpe_dropout": 0.999, "optimizer": "adamw"})"), "");
}

Recipe Rates(const char* schedule, double final_share) {
  Recipe recipe;
  recipe.learning_rate = 0.4;
  recipe.warmup = 10;
  recipe.steps = 110;
  recipe.schedule = schedule;
  recipe.final_learning_rate = final_share;
  return recipe;
}

TEST(LearningRateTest, RisesToItsValueDuringTheWarmup) {
  for (const char* schedule : {"cosine", "linear", "constant"}) {
    const Recipe recipe = Rates(schedule, 0.1);
    EXPECT_DOUBLE_EQ(LearningRate(recipe, 1), 0.04);
    EXPECT_DOUBLE_EQ(LearningRate(recipe, 5), 0.2);
    EXPECT_DOUBLE_EQ(LearningRate(recipe, 10), 0.4);
  }
}

TEST(LearningRateTest, FallsToItsShareByTheSchedule) {
  const Recipe cosine = Rates("cosine", 0.1), linear = Rates("linear", 0.1);
  // A quarter and half of the way, and its end.
  EXPECT_NEAR(LearningRate(linear, 35), 0.4 * (0.1 + 0.9 * 0.75), 1e-12);
  EXPECT_NEAR(LearningRate(cosine, 35),
              0.4 * (0.1 + 0.9 * (0.5 + std::sqrt(0.125))), 1e-12);
  EXPECT_NEAR(LearningRate(linear, 60), 0.4 * 0.55, 1e-12);
  EXPECT_NEAR(LearningRate(cosine, 60), 0.4 * 0.55, 1e-12);
  for (const Recipe& recipe : {cosine, linear}) {
    EXPECT_NEAR(LearningRate(recipe, 110), 0.04, 1e-12);
    EXPECT_NEAR(LearningRate(recipe, 500), 0.04, 1e-12);
    for (int64_t step = 10; step < 110; ++step) {
      EXPECT_GT(LearningRate(recipe, step), LearningRate(recipe, step + 1));
    }
  }
  const Recipe constant = Rates("constant", 0.1);
  for (int64_t step = 10; step <= 110; ++step) {
    EXPECT_DOUBLE_EQ(LearningRate(constant, step), 0.4);
  }
}

TEST(LearningRateTest, NeedsNoWarmupAndNoStepsAfterIt) {
  Recipe recipe = Rates("linear", 0);
  recipe.warmup = 0;
  EXPECT_NEAR(LearningRate(recipe, 1), 0.4 * 109 / 110, 1e-12);
  recipe.warmup = recipe.steps = 4;
  EXPECT_DOUBLE_EQ(LearningRate(recipe, 4), 0.4);
  recipe.warmup = 8;
  EXPECT_DOUBLE_EQ(LearningRate(recipe, 4), 0.2);
}

TEST(RecipeTest, NumbersOutOfRangeAreRefused) {
  for (const char* json :
       {R"({"seed": -1})", R"({"vocab_size": 4294967896})",
        R"({"pairs_clean": 7})", R"({"pairs_popularity_bias": -3})",
        R"({"preset": "nope"})", R"({"seed, vocab_size": 1})"}) {
    EXPECT_FALSE(ApplyJson({}, json).ok()) << json;
  }
}

}  // namespace
}  // namespace quaver
