// See recipe.h.
#include "quaver/train/recipe.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/base/json.h"

namespace quaver {
namespace {

using Json = nlohmann::json;

// Products of two, as the pairs of a run, stay far from overflow.
constexpr int64_t kMaxCount = 1'000'000'000;

// Calls visit(name, field) for every field of a recipe.
template <typename R, typename Visit>
void ForEachField(R& r, const Visit& visit) {
  visit("preset", r.preset);
  visit("seed", r.seed);
  visit("vocab_size", r.vocab_size);
  visit("max_tokens", r.max_tokens);
  visit("steps", r.steps);
  visit("batch_pairs", r.batch_pairs);
  visit("micro_tokens", r.micro_tokens);
  visit("padding", r.padding);
  visit("precision", r.precision);
  visit("optimizer", r.optimizer);
  visit("learning_rate", r.learning_rate);
  visit("warmup", r.warmup);
  visit("schedule", r.schedule);
  visit("final_learning_rate", r.final_learning_rate);
  visit("weight_decay", r.weight_decay);
  visit("clip", r.clip);
  visit("average", r.average);
  visit("label_smoothing", r.label_smoothing);
  visit("dropout", r.dropout);
  visit("bpe_dropout", r.bpe_dropout);
  visit("evaluate_every", r.evaluate_every);
  visit("held_out_rows", r.held_out_rows);
  visit("enough", r.enough);
  visit("patience", r.patience);
  visit("checkpoint_every", r.checkpoint_every);
  visit("pairs_seed", r.pairs.seed);
  visit("pairs_clean", r.pairs.clean);
  visit("pairs_clean_part", r.pairs.clean_part);
  visit("pairs_broad", r.pairs.broad);
  visit("pairs_prefix", r.pairs.prefix);
  visit("pairs_filler", r.pairs.filler);
  visit("pairs_lost_word", r.pairs.lost_word);
  visit("pairs_hard_negative", r.pairs.hard_negative);
  visit("pairs_popularity_bias", r.pairs.popularity_bias);
}

absl::Status OutOfRange(std::string_view name, std::string_view expected) {
  return absl::InvalidArgumentError(
      fmt::format("{} has to be {}", name, expected));
}

}  // namespace

absl::StatusOr<Recipe> PresetRecipe(std::string_view preset) {
  Recipe recipe;
  recipe.preset = preset;
  if (preset == "small" || preset == "bench") return recipe;
  if (preset == "tiny") {
    recipe.vocab_size = 512;
    recipe.steps = 300;
    recipe.batch_pairs = 64;
    recipe.learning_rate = 3e-3;
    recipe.warmup = 20;
    recipe.average = 0.99;
    recipe.evaluate_every = recipe.checkpoint_every = 100;
    recipe.held_out_rows = 50;
    return recipe;
  }
  if (preset == "base") {
    recipe.vocab_size = 50'265;
    recipe.learning_rate = 3e-4;
    recipe.steps = 100'000;
    return recipe;
  }
  return absl::InvalidArgumentError(fmt::format(
      "no preset is named '{}'; there are tiny, small, base, bench", preset));
}

std::string ToJson(const Recipe& recipe) {
  nlohmann::ordered_json json;
  ForEachField(
      recipe, [&](const char* name, const auto& value) { json[name] = value; });
  return json.dump(2) + "\n";
}

absl::StatusOr<Recipe> ApplyJson(Recipe recipe, std::string_view text) {
  const Json json = ParseJson(text);
  if (!json.is_object()) {
    return absl::InvalidArgumentError("a recipe is a JSON object");
  }
  absl::Status status;
  size_t known = 0;
  std::vector<std::string> names;
  ForEachField(recipe, [&](const char* name, auto& value) {
    names.emplace_back(name);
    const auto at = json.find(name);
    if (at == json.end()) return;
    ++known;
    const Json sample = value;
    const bool same = sample.is_string()            ? at->is_string()
                      : sample.is_boolean()         ? at->is_boolean()
                      : sample.is_number_float()    ? at->is_number()
                      : sample.is_number_unsigned() ? at->is_number_unsigned()
                                                    : at->is_number_integer();
    if (!same) {
      status.Update(absl::InvalidArgumentError(fmt::format(
          "{} cannot be {}: it is like {}", name, at->dump(), sample.dump())));
      return;
    }
    at->get_to(value);
  });
  RETURN_IF_ERROR(status);
  if (known != json.size()) {
    for (const auto& [name, value] : json.items()) {
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      return absl::InvalidArgumentError(
          fmt::format("a recipe has no field '{}'; there are {}", name,
                      fmt::join(names, ", ")));
    }
  }
  RETURN_IF_ERROR(CheckRecipe(recipe));
  return recipe;
}

absl::Status CheckRecipe(const Recipe& r) {
  for (const auto& [name, value] :
       {std::pair("steps", r.steps), std::pair("batch_pairs", r.batch_pairs),
        std::pair("micro_tokens", r.micro_tokens),
        std::pair("evaluate_every", r.evaluate_every),
        std::pair("held_out_rows", r.held_out_rows),
        std::pair("checkpoint_every", r.checkpoint_every)}) {
    if (value >= 1 && value <= kMaxCount) continue;
    return OutOfRange(name, "from 1 to 1,000,000,000");
  }
  for (const auto& [name, value] :
       {std::pair("final_learning_rate", r.final_learning_rate),
        std::pair("label_smoothing", r.label_smoothing)}) {
    if (!(value >= 0 && value <= 1)) return OutOfRange(name, "from 0 to 1");
  }
  for (const auto& [name, value] :
       {std::pair("dropout", r.dropout), std::pair("average", r.average),
        std::pair("bpe_dropout", r.bpe_dropout)}) {
    if (!(value >= 0 && value < 1)) {
      return OutOfRange(name, "at least 0 and less than 1");
    }
  }
  for (const auto& [name, value] :
       {std::pair("weight_decay", r.weight_decay), std::pair("clip", r.clip)}) {
    if (!(value >= 0 && value <= 1e6)) return OutOfRange(name, "at least 0");
  }
  if (!(r.learning_rate > 0 && r.learning_rate <= 1)) {
    return OutOfRange("learning_rate", "above 0 and at most 1");
  }
  if (r.warmup < 0) return OutOfRange("warmup", "at least 0");
  if (r.patience < 0) return OutOfRange("patience", "at least 0");
  if (r.vocab_size < 262 || r.vocab_size > 1'000'000) {
    return OutOfRange("vocab_size", "from 262 to 1,000,000");
  }
  RETURN_IF_ERROR(PresetRecipe(r.preset).status());
  if (r.max_tokens < 4 || r.max_tokens > 256) {
    return OutOfRange("max_tokens", "from 4 to 256");
  }
  if (r.schedule != "cosine" && r.schedule != "linear" &&
      r.schedule != "constant") {
    return OutOfRange("schedule", "cosine, linear or constant");
  }
  if (r.optimizer != "muon" && r.optimizer != "adamw") {
    return OutOfRange("optimizer", "muon or adamw");
  }
  if (r.precision != "auto" && r.precision != "bf16" && r.precision != "fp16" &&
      r.precision != "fp32") {
    return OutOfRange("precision", "auto, bf16, fp16 or fp32");
  }
  return CheckPairConfig(r.pairs);
}

double LearningRate(const Recipe& recipe, int64_t step) {
  if (step <= recipe.warmup) {
    return recipe.learning_rate * static_cast<double>(step) /
           static_cast<double>(recipe.warmup);
  }
  const double done = std::min(1.0, static_cast<double>(step - recipe.warmup) /
                                        static_cast<double>(std::max<int64_t>(
                                            1, recipe.steps - recipe.warmup)));
  double share = 1;
  if (recipe.schedule == "cosine") {
    share = 0.5 * (1 + std::cos(std::numbers::pi * done));
  } else if (recipe.schedule == "linear") {
    share = 1 - done;
  }
  const double least = recipe.final_learning_rate;
  return recipe.learning_rate * (least + (1 - least) * share);
}

}  // namespace quaver
