// What may come next, whatever the model says: Hugging Face's logits
// processors.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "quaver/base/status.h"
#include "quaver/engine/bart.h"
#include "quaver/engine/generation.h"

namespace quaver {

// The only token that may follow `tokens` (the decoder's start first), if so.
std::optional<int32_t> ForcedToken(const BartConfig& config,
                                   const GenerationOptions& options,
                                   std::span<const int32_t> tokens);

// Sets to minus infinity what may not follow: repeated n-grams, too early an
// end. `logits` may be probabilities' logarithms.
void BanTokens(const BartConfig& config, const GenerationOptions& options,
               std::span<const int32_t> tokens, float* logits);

// InvalidArgument naming what is wrong; else options within the limits.
absl::StatusOr<GenerationOptions> CheckOptions(GenerationOptions options,
                                               int max_target_tokens);
absl::Status CheckTokens(const char* what, std::span<const int32_t> ids,
                         size_t limit, int vocab_size);

}  // namespace quaver
