// See token_rules.h.
#include "quaver/engine/internal/token_rules.h"

#include <algorithm>

namespace quaver {
std::optional<int32_t> ForcedToken(const BartConfig& config,
                                   const GenerationOptions& options,
                                   size_t num_tokens) {
  const auto length = static_cast<int>(num_tokens);
  if (length == options.max_new_tokens && config.forced_eos_id) {
    return config.forced_eos_id;
  }
  if (length == 1 && config.forced_bos_id) return config.forced_bos_id;
  return std::nullopt;
}

absl::StatusOr<GenerationOptions> CheckOptions(GenerationOptions options,
                                               int max_target_tokens) {
  if (options.max_new_tokens < 1 || options.min_new_tokens < 0 ||
      options.no_repeat_ngram_size < 0) {
    return absl::InvalidArgumentError(
        "max_new_tokens has to be at least 1, min_new_tokens and "
        "no_repeat_ngram_size at least 0");
  }
  options.max_new_tokens =
      std::min(options.max_new_tokens, max_target_tokens - 1);
  return options;
}

absl::Status CheckTokens(const char* what, std::span<const int32_t> ids,
                         size_t limit, int vocab_size) {
  if (ids.empty() || ids.size() > limit) {
    return absl::InvalidArgumentError(fmt::format(
        "{} has {} tokens; it has to have 1 to {}", what, ids.size(), limit));
  }
  for (const int32_t id : ids) {
    if (id >= 0 && id < vocab_size) continue;
    return absl::InvalidArgumentError(fmt::format(
        "{}: {} is no id of a vocabulary of {}", what, id, vocab_size));
  }
  return absl::OkStatus();
}

}  // namespace quaver
