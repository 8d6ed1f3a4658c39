// A model's tokenizer backwards: token ids in, texts out.
//
//   ASSIGN_OR_RETURN(auto detokenizer, DetokenizerServable::Create(
//       {.model_folder = "models/corrector"}));
//   detokenizer->Infer({ids});  // INPUT_IDS INT64[B, T] -> TEXT BYTES[B]
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quaver/backends/tokenizers.h"
#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

struct DetokenizerConfig {
  std::string model_folder;
};

// Inputs
//   INPUT_IDS INT64[B, T]
//   ATTENTION_MASK INT64[B, T]   optional: 0 for the padding at a row's end,
//                                else 1
// Output
//   TEXT BYTES[B]                without special tokens, as `tokenizers` has
//                                it: with a first space where the vocabulary
//                                puts one; UTF-8, U+FFFD for bytes that are
//                                none
//
// WordPiece or byte-level BPE, whichever the folder has. Thread-safe; computes
// in the caller's thread.
class DetokenizerServable : public Servable {
 public:
  static constexpr int kMaxTokens = 1 << 16;  // of a row

  // Errors as Tokenizer::Load's.
  static absl::StatusOr<std::unique_ptr<DetokenizerServable>> Create(
      const DetokenizerConfig& config);

  std::vector<TensorSpec> inputs() const override;
  std::vector<TensorSpec> outputs() const override;
  using Servable::Infer;
  // InvalidArgument also for an id that the vocabulary does not reach.
  absl::StatusOr<Tensors> Infer(const Tensors& request,
                                const CallOptions& options,
                                CallTimes* times) override;

 private:
  explicit DetokenizerServable(std::unique_ptr<const Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)) {}

  std::unique_ptr<const Tokenizer> tokenizer_;
};

}  // namespace quaver
