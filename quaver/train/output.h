// The files around a model's weights, as Hugging Face's libraries read them.
#pragma once

#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/text/bpe.h"
#include "quaver/train/held_out.h"
#include "quaver/train/recipe.h"
#include "quaver/train/shape.h"

namespace quaver {

// How a model came to be.
struct Origin {
  std::string recipe_json;
  std::string from;       // the folder it was fine-tuned from, or ""
  std::string data_hash;  // of the texts it was trained on
  int64_t num_texts = 0;
  int64_t steps = 0;
  int64_t pairs = 0;  // seen
  double hours = 0;
  double tokens_per_s = 0;
  Figures figures;
};

// config.json, generation_config.json, tokenizer.json, vocab.json, merges.txt,
// tokenizer_config.json.
absl::Status WriteModelFiles(const std::string& folder, const BartShape& shape,
                             const Bpe& tokenizer);
// training.json and README.md, the model card.
absl::Status WriteOrigin(const std::string& folder, const BartShape& shape,
                         const Origin& origin);

}  // namespace quaver
