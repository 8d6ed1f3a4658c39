// A model's tokenizer, from its folder or its plan.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/text/bpe.h"
#include "quaver/text/wordpiece.h"

namespace quaver {

// Errors as ModelFiles::Open's, and WordPiece::Load's or Bpe::Load's.
absl::StatusOr<std::unique_ptr<const WordPiece>> LoadWordPiece(
    const std::string& path);
absl::StatusOr<std::unique_ptr<const Bpe>> LoadBpe(const std::string& path);

// Whichever of the two a folder has. Immutable, thread-safe.
class Tokenizer {
 public:
  // WordPiece where tokenizer.json says so, or without one where there is
  // vocab.txt; else byte-level BPE. Errors as LoadWordPiece's and LoadBpe's.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(
      const std::string& path);

  // As WordPiece's and Bpe's. REQUIRES: max_tokens >= kMaxIdsAround.
  std::vector<int32_t> Encode(std::string_view text, int max_tokens) const;
  // Bytes that are no UTF-8 become U+FFFD.
  std::string Decode(std::span<const int32_t> ids) const;
  int vocab_size() const;
  int32_t pad_id() const;

 private:
  using Kind = std::variant<std::unique_ptr<const WordPiece>,
                            std::unique_ptr<const Bpe>>;
  explicit Tokenizer(Kind kind) : kind_(std::move(kind)) {}

  Kind kind_;
};

}  // namespace quaver
