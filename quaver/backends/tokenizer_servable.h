// A model's tokenizer as a servable: texts in, token ids out.
//
//   ASSIGN_OR_RETURN(auto tokenizer, TokenizerServable::Create(
//       {.model_folder = "models/corrector"}));
//   tokenizer->Infer({texts});  // TEXT BYTES[B] -> INPUT_IDS INT64[B, T], ...
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quaver/backends/tokenizers.h"
#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

struct TokenizerConfig {
  std::string model_folder;
  // Of a text, those around it included; the rest of it is dropped.
  int max_tokens = 512;
};

// Input
//   TEXT BYTES[B]                any bytes
// Outputs
//   INPUT_IDS INT64[B, T]        the ids of each text between those that the
//                                tokenizer puts around it; T the longest's
//   ATTENTION_MASK INT64[B, T]   1 for a token, 0 for the padding at a row's
//   end
//
// WordPiece or byte-level BPE, whichever the folder has. Thread-safe; computes
// in the caller's thread.
class TokenizerServable : public Servable {
 public:
  static constexpr int kGreatestMaxTokens = 1 << 16;

  // Errors as Tokenizer::Load's.
  static absl::StatusOr<std::unique_ptr<TokenizerServable>> Create(
      const TokenizerConfig& config);

  std::vector<TensorSpec> inputs() const override;
  std::vector<TensorSpec> outputs() const override;
  using Servable::Infer;
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override;

 private:
  TokenizerServable(int max_tokens, std::unique_ptr<const Tokenizer> tokenizer)
      : max_tokens_(max_tokens), tokenizer_(std::move(tokenizer)) {}

  const int max_tokens_;
  std::unique_ptr<const Tokenizer> tokenizer_;
};

}  // namespace quaver
