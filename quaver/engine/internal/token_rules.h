// What may come next, whatever the model says: Hugging Face's logits
// processors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "quaver/base/status.h"
#include "quaver/engine/bart.h"
#include "quaver/engine/generation.h"

namespace quaver {

// The only token that may follow `num_tokens` others (the decoder's start is
// one of them), if so.
std::optional<int32_t> ForcedToken(const BartConfig& config,
                                   const GenerationOptions& options,
                                   size_t num_tokens);

// Calls ban(token) for what may not follow `tokens`: ends of repeated n-grams,
// too early an end. A token may come twice.
template <typename Ban>
void ForEachBanned(const BartConfig& config, const GenerationOptions& options,
                   std::span<const int32_t> tokens, const Ban& ban) {
  const auto n = static_cast<size_t>(options.no_repeat_ngram_size);
  if (n > 0 && tokens.size() + 1 >= n) {
    const auto last = tokens.last(n - 1);
    for (size_t i = 0; i + n <= tokens.size(); ++i) {
      const auto gram = tokens.subspan(i, n);
      if (std::equal(last.begin(), last.end(), gram.begin())) ban(gram.back());
    }
  }
  if (static_cast<int>(tokens.size()) - 1 < options.min_new_tokens) {
    ban(config.eos_id);
  }
}

// InvalidArgument naming what is wrong; else options within the limits.
absl::StatusOr<GenerationOptions> CheckOptions(GenerationOptions options,
                                               int max_target_tokens);
absl::Status CheckTokens(const char* what, std::span<const int32_t> ids,
                         size_t limit, int vocab_size);

}  // namespace quaver
