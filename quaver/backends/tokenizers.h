// A model's tokenizer, from its folder or its plan.
#pragma once

#include <memory>
#include <string>

#include "quaver/base/status.h"
#include "quaver/text/bpe.h"
#include "quaver/text/wordpiece.h"

namespace quaver {

// Errors as ModelFiles::Open's, and WordPiece::Load's or Bpe::Load's.
absl::StatusOr<std::unique_ptr<const WordPiece>> LoadWordPiece(
    const std::string& path);
absl::StatusOr<std::unique_ptr<const Bpe>> LoadBpe(const std::string& path);

}  // namespace quaver
