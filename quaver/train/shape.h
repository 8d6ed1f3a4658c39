// The shape of a BART model: what its config.json says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "quaver/base/status.h"

namespace quaver {

struct BartShape {
  int64_t vocab_size = 8'192;
  int64_t width = 256;  // d_model
  int64_t encoder_layers = 3;
  int64_t decoder_layers = 3;
  int64_t encoder_heads = 4;
  int64_t decoder_heads = 4;
  int64_t encoder_ffn = 1'024;
  int64_t decoder_ffn = 1'024;
  int64_t max_positions = 128;  // longest text in tokens
  bool scale_embedding = false;
  int32_t bos_id = 0, pad_id = 1, eos_id = 2;
  int32_t decoder_start_id = 2;
  // Whether targets begin with <s>, which every answer is made to (Hugging
  // Face's forced_bos_token_id); without it an answer takes a step less.
  bool forced_bos = false;

  bool operator==(const BartShape&) const = default;
};

// "base": bart-base's shape. "small": what the shipped corrector has. "tiny":
// trains within a minute, for tests. "bench": 256 wide with 3 + 3 layers, which
// training speed is compared at. InvalidArgument naming them.
absl::StatusOr<BartShape> PresetShape(std::string_view name);

// InvalidArgument naming the field and what it has to be.
absl::Status CheckShape(const BartShape& shape);

// Of Hugging Face's config.json. Unimplemented, naming the field, for another
// architecture or activation; InvalidArgument for damaged text.
absl::StatusOr<BartShape> ParseBartConfig(std::string_view config_json);
// The same of `folder`/config.json; errors name the file.
absl::StatusOr<BartShape> LoadBartShape(const std::string& folder);
std::string ToConfigJson(const BartShape& shape);
std::string ToGenerationConfigJson(const BartShape& shape);

// Weights, counted once each.
int64_t NumParameters(const BartShape& shape);

// Floating-point operations of a training step for a source and a target
// token: 2 a weight forward and 4 backward for every weight that the token is
// multiplied with; attention's scores and sums, 0.4 % at these lengths, are
// left out, as are embeddings, which are looked up.
//   source: per encoder layer 4 w^2 + 2 w f, and per decoder layer 2 w^2 for
//   cross-attention's keys and values
//   target: per decoder layer 6 w^2 + 2 w f, and the output layer w v
double TrainingFlopsPerSourceToken(const BartShape& shape);
double TrainingFlopsPerTargetToken(const BartShape& shape);

}  // namespace quaver
