// Reads and checks the configuration files of a BART folder.
#include <tuple>
#include <utility>

#include "quaver/engine/bart.h"
#include "quaver/engine/internal/bart_weights.h"
#include "quaver/engine/internal/json_file.h"

namespace quaver {
namespace {

constexpr int kMaxCount = 1 << 20;

absl::Status ReadCounts(const JsonFile& file, BartConfig* config) {
  for (const auto& [field, value] :
       {std::pair("vocab_size", &config->vocab_size),
        std::pair("d_model", &config->width),
        std::pair("encoder_layers", &config->encoder_layers),
        std::pair("decoder_layers", &config->decoder_layers),
        std::pair("encoder_attention_heads", &config->encoder_heads),
        std::pair("decoder_attention_heads", &config->decoder_heads),
        std::pair("encoder_ffn_dim", &config->encoder_inner),
        std::pair("decoder_ffn_dim", &config->decoder_inner),
        std::pair("max_position_embeddings", &config->max_positions)}) {
    ASSIGN_OR_RETURN(*value, file.Count(field));
    if (*value <= kMaxCount) continue;
    return absl::InvalidArgumentError(fmt::format(
        "{}: {} {} is above {}", file.path, field, *value, kMaxCount));
  }
  for (const int heads : {config->encoder_heads, config->decoder_heads}) {
    if (config->width % heads == 0) continue;
    return absl::InvalidArgumentError(
        fmt::format("{}: d_model {} is not a multiple of {} attention heads",
                    file.path, config->width, heads));
  }
  return absl::OkStatus();
}

// A token's id: an absent field leaves it as it is, null takes it away.
absl::Status ReadId(const JsonFile& file, const char* field, int vocab_size,
                    std::optional<int32_t>* id) {
  const auto found = file.content.find(field);
  if (found == file.content.end()) return absl::OkStatus();
  if (found->is_null()) {
    id->reset();
    return absl::OkStatus();
  }
  if (!found->is_number_integer() || *found < 0 || *found >= vocab_size) {
    return absl::InvalidArgumentError(
        fmt::format("{}: {} {} is no id of a vocabulary of {}", file.path,
                    field, JsonFile::Dump(*found), vocab_size));
  }
  *id = found->get<int32_t>();
  return absl::OkStatus();
}

// Ids, which a generation_config.json overrides.
struct Ids {
  std::optional<int32_t> bos, pad, eos, decoder_start, forced_bos, forced_eos;

  absl::Status Read(const JsonFile& file, int vocab_size) {
    for (const auto& [field, id] :
         {std::pair("bos_token_id", &bos), std::pair("pad_token_id", &pad),
          std::pair("eos_token_id", &eos),
          std::pair("decoder_start_token_id", &decoder_start),
          std::pair("forced_bos_token_id", &forced_bos),
          std::pair("forced_eos_token_id", &forced_eos)}) {
      RETURN_IF_ERROR(ReadId(file, field, vocab_size, id));
    }
    return absl::OkStatus();
  }
};

}  // namespace

absl::StatusOr<BartConfig> ReadBartConfig(const std::string& path) {
  ASSIGN_OR_RETURN(const ModelFiles files, ModelFiles::Open(path));
  return ReadBartConfig(files);
}

absl::StatusOr<BartConfig> ReadBartConfig(const ModelFiles& files) {
  BartConfig config;
  ASSIGN_OR_RETURN(const JsonFile file, ReadJsonObject(files, "config.json"));
  RETURN_IF_ERROR(file.Require("model_type", "bart", /*may_lack=*/false));
  RETURN_IF_ERROR(
      file.Require("activation_function", "gelu", /*may_lack=*/true));
  RETURN_IF_ERROR(file.Require("tie_word_embeddings", true, /*may_lack=*/true));
  RETURN_IF_ERROR(file.Require("is_encoder_decoder", true, /*may_lack=*/true));
  RETURN_IF_ERROR(ReadCounts(file, &config));
  if (file.Has("scale_embedding")) {
    if (!file.content["scale_embedding"].is_boolean()) {
      return absl::InvalidArgumentError(
          file.path + ": scale_embedding is neither true nor false");
    }
    config.scale_embedding = file.content["scale_embedding"].get<bool>();
  }
  Ids ids = {.bos = 0, .pad = 1, .eos = 2, .decoder_start = 2};  // BART's
  RETURN_IF_ERROR(ids.Read(file, config.vocab_size));
  constexpr char kGeneration[] = "generation_config.json";
  if (files.Has(kGeneration)) {
    ASSIGN_OR_RETURN(const JsonFile other, ReadJsonObject(files, kGeneration));
    RETURN_IF_ERROR(ids.Read(other, config.vocab_size));
  }
  for (const auto& [field, id, value] :
       {std::tuple("bos_token_id", ids.bos, &config.bos_id),
        std::tuple("pad_token_id", ids.pad, &config.pad_id),
        std::tuple("eos_token_id", ids.eos, &config.eos_id),
        std::tuple("decoder_start_token_id", ids.decoder_start,
                   &config.decoder_start_id)}) {
    if (!id.has_value() || *id >= config.vocab_size) {
      return absl::InvalidArgumentError(
          fmt::format("{}: {} is missing or no id of a vocabulary of {}",
                      file.path, field, config.vocab_size));
    }
    *value = *id;
  }
  config.forced_bos_id = ids.forced_bos;
  config.forced_eos_id = ids.forced_eos;
  return config;
}

}  // namespace quaver
