// See shape.h.
#include "quaver/train/shape.h"

#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

#include "quaver/base/file.h"
#include "quaver/base/json.h"
#include "quaver/text/bpe_spec.h"

namespace quaver {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxHeadDim = 128;
constexpr int64_t kMaxPositions = 1'024;

absl::Status ReadInt(const Json& config, const char* name, int64_t* value) {
  const auto at = config.find(name);
  if (at == config.end()) {
    return absl::InvalidArgumentError(fmt::format("{} is missing", name));
  }
  if (!at->is_number_integer()) {
    return absl::InvalidArgumentError(
        fmt::format("{} has to be a whole number, not {}", name, at->dump()));
  }
  *value = at->get<int64_t>();
  return absl::OkStatus();
}

absl::Status ReadId(const Json& config, const char* name, int32_t* id) {
  int64_t value = *id;
  if (config.contains(name)) RETURN_IF_ERROR(ReadInt(config, name, &value));
  if (value < 0 || value > std::numeric_limits<int32_t>::max()) {
    return absl::InvalidArgumentError(
        fmt::format("{} cannot be {}", name, value));
  }
  *id = static_cast<int32_t>(value);
  return absl::OkStatus();
}

absl::Status CheckModelType(const Json& config) {
  const std::string type =
      config.contains("model_type") ? config["model_type"].dump() : "nothing";
  if (type != "\"bart\"") {
    return absl::UnimplementedError(
        fmt::format("model_type is {}; only \"bart\" can be trained", type));
  }
  const std::string activation = config.value("activation_function", "gelu");
  if (activation != "gelu") {
    return absl::UnimplementedError(fmt::format(
        "activation_function {} is not supported: it has to be gelu",
        activation));
  }
  if (!config.value("tie_word_embeddings", true)) {
    return absl::UnimplementedError(
        "tie_word_embeddings false is not supported");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BartShape> PresetShape(std::string_view name) {
  BartShape shape;
  if (name == "bench") return shape;
  if (name == "small") {
    shape.encoder_layers = 6;
    shape.decoder_layers = 2;
    return shape;
  }
  if (name == "tiny") {
    shape.vocab_size = 512;
    shape.width = 64;
    shape.encoder_layers = shape.decoder_layers = 1;
    shape.encoder_heads = shape.decoder_heads = 2;
    shape.encoder_ffn = shape.decoder_ffn = 128;
    return shape;
  }
  if (name == "base") {
    shape.vocab_size = 50'265;
    shape.width = 768;
    shape.encoder_layers = shape.decoder_layers = 6;
    shape.encoder_heads = shape.decoder_heads = 12;
    shape.encoder_ffn = shape.decoder_ffn = 3'072;
    shape.max_positions = 1'024;
    shape.forced_bos = true;
    return shape;
  }
  return absl::InvalidArgumentError(fmt::format(
      "no preset is named '{}'; there are tiny, small, base, bench", name));
}

absl::Status CheckShape(const BartShape& shape) {
  for (const auto& [name, value, most] :
       {std::tuple("vocab_size", shape.vocab_size, int64_t{1} << 20),
        std::tuple("d_model", shape.width, int64_t{8'192}),
        std::tuple("encoder_layers", shape.encoder_layers, int64_t{64}),
        std::tuple("decoder_layers", shape.decoder_layers, int64_t{64}),
        std::tuple("encoder_attention_heads", shape.encoder_heads,
                   int64_t{128}),
        std::tuple("decoder_attention_heads", shape.decoder_heads,
                   int64_t{128}),
        std::tuple("encoder_ffn_dim", shape.encoder_ffn, int64_t{65'536}),
        std::tuple("decoder_ffn_dim", shape.decoder_ffn, int64_t{65'536}),
        std::tuple("max_position_embeddings", shape.max_positions,
                   kMaxPositions)}) {
    if (value >= 1 && value <= most) continue;
    return absl::InvalidArgumentError(
        fmt::format("{} has to be from 1 to {}, not {}", name, most, value));
  }
  // A text without tokens of its own has to fit.
  if (shape.max_positions < kMaxIdsAround) {
    return absl::InvalidArgumentError(
        fmt::format("max_position_embeddings has to be at least {}, not {}",
                    kMaxIdsAround, shape.max_positions));
  }
  for (const int64_t heads : {shape.encoder_heads, shape.decoder_heads}) {
    if (shape.width % heads == 0 && shape.width / heads <= kMaxHeadDim) {
      continue;
    }
    return absl::InvalidArgumentError(fmt::format(
        "d_model {} does not give {} heads of one size of at most {}",
        shape.width, heads, kMaxHeadDim));
  }
  for (const auto& [name, id] :
       {std::pair("bos_token_id", shape.bos_id),
        std::pair("pad_token_id", shape.pad_id),
        std::pair("eos_token_id", shape.eos_id),
        std::pair("decoder_start_token_id", shape.decoder_start_id)}) {
    if (id >= 0 && id < shape.vocab_size) continue;
    return absl::InvalidArgumentError(fmt::format(
        "{} {} is not in a vocabulary of {}", name, id, shape.vocab_size));
  }
  return absl::OkStatus();
}

absl::StatusOr<BartShape> ParseBartConfig(std::string_view config_json) {
  const Json config = ParseJson(config_json);
  if (!config.is_object()) {
    return absl::InvalidArgumentError("the file is no JSON object");
  }
  BartShape shape;
  try {
    RETURN_IF_ERROR(CheckModelType(config));
    for (const auto& [name, value] :
         {std::pair("vocab_size", &shape.vocab_size),
          std::pair("d_model", &shape.width),
          std::pair("encoder_layers", &shape.encoder_layers),
          std::pair("decoder_layers", &shape.decoder_layers),
          std::pair("encoder_attention_heads", &shape.encoder_heads),
          std::pair("decoder_attention_heads", &shape.decoder_heads),
          std::pair("encoder_ffn_dim", &shape.encoder_ffn),
          std::pair("decoder_ffn_dim", &shape.decoder_ffn),
          std::pair("max_position_embeddings", &shape.max_positions)}) {
      RETURN_IF_ERROR(ReadInt(config, name, value));
    }
    RETURN_IF_ERROR(ReadId(config, "bos_token_id", &shape.bos_id));
    RETURN_IF_ERROR(ReadId(config, "pad_token_id", &shape.pad_id));
    RETURN_IF_ERROR(ReadId(config, "eos_token_id", &shape.eos_id));
    RETURN_IF_ERROR(
        ReadId(config, "decoder_start_token_id", &shape.decoder_start_id));
    shape.scale_embedding = config.value("scale_embedding", false);
    const Json forced = config.value("forced_bos_token_id", Json());
    shape.forced_bos = !forced.is_null();
    if (shape.forced_bos && forced != shape.bos_id) {
      return absl::UnimplementedError(fmt::format(
          "forced_bos_token_id {} is not supported: it has to be null or {}, "
          "the bos_token_id",
          forced.dump(), shape.bos_id));
    }
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(error.what());
  }
  RETURN_IF_ERROR(CheckShape(shape));
  return shape;
}

absl::StatusOr<BartShape> LoadBartShape(const std::string& folder) {
  const std::string path = folder + "/config.json";
  ASSIGN_OR_RETURN(const std::string json, ReadFile(path));
  auto shape = ParseBartConfig(json);
  if (!shape.ok()) return Annotate(shape.status(), path);
  return shape;
}

std::string ToConfigJson(const BartShape& shape) {
  const Json config = {
      {"architectures", {"BartForConditionalGeneration"}},
      {"model_type", "bart"},
      {"vocab_size", shape.vocab_size},
      {"d_model", shape.width},
      {"encoder_layers", shape.encoder_layers},
      {"decoder_layers", shape.decoder_layers},
      {"num_hidden_layers", shape.encoder_layers},
      {"encoder_attention_heads", shape.encoder_heads},
      {"decoder_attention_heads", shape.decoder_heads},
      {"encoder_ffn_dim", shape.encoder_ffn},
      {"decoder_ffn_dim", shape.decoder_ffn},
      {"max_position_embeddings", shape.max_positions},
      {"activation_function", "gelu"},
      {"scale_embedding", shape.scale_embedding},
      {"dropout", 0.0},
      {"attention_dropout", 0.0},
      {"activation_dropout", 0.0},
      {"encoder_layerdrop", 0.0},
      {"decoder_layerdrop", 0.0},
      {"is_encoder_decoder", true},
      {"tie_word_embeddings", true},
      {"use_cache", true},
      {"torch_dtype", "bfloat16"},
      {"bos_token_id", shape.bos_id},
      {"pad_token_id", shape.pad_id},
      {"eos_token_id", shape.eos_id},
      {"decoder_start_token_id", shape.decoder_start_id},
      {"forced_bos_token_id", shape.forced_bos ? Json(shape.bos_id) : Json()},
      {"forced_eos_token_id", nullptr}};
  return config.dump(2) + "\n";
}

std::string ToGenerationConfigJson(const BartShape& shape) {
  const Json config = {
      {"bos_token_id", shape.bos_id},
      {"pad_token_id", shape.pad_id},
      {"eos_token_id", shape.eos_id},
      {"decoder_start_token_id", shape.decoder_start_id},
      {"forced_bos_token_id", shape.forced_bos ? Json(shape.bos_id) : Json()},
      {"max_length", std::min<int64_t>(shape.max_positions, 64)},
      {"num_beams", 1},
      {"do_sample", false}};
  return config.dump(2) + "\n";
}

int64_t NumParameters(const BartShape& s) {
  const int64_t w = s.width;
  const int64_t attention = 4 * (w * w + w), norm = 2 * w;
  const auto ffn = [&](int64_t f) { return 2 * w * f + f + w; };
  const int64_t tables = s.vocab_size * w + 2 * (s.max_positions + 2) * w;
  return tables + 2 * norm +
         s.encoder_layers * (attention + ffn(s.encoder_ffn) + 2 * norm) +
         s.decoder_layers * (2 * attention + ffn(s.decoder_ffn) + 3 * norm);
}

double TrainingFlopsPerSourceToken(const BartShape& s) {
  const auto w = static_cast<double>(s.width);
  const auto f = static_cast<double>(s.encoder_ffn);
  return 6 * (static_cast<double>(s.encoder_layers) * (4 * w * w + 2 * w * f) +
              static_cast<double>(s.decoder_layers) * 2 * w * w);
}

double TrainingFlopsPerTargetToken(const BartShape& s) {
  const auto w = static_cast<double>(s.width);
  const auto f = static_cast<double>(s.decoder_ffn);
  return 6 * (static_cast<double>(s.decoder_layers) * (6 * w * w + 2 * w * f) +
              w * static_cast<double>(s.vocab_size));
}

}  // namespace quaver
