// See tokenizers.h.
#include "quaver/backends/tokenizers.h"

#include "quaver/artifact/model_files.h"

namespace quaver {
namespace {

template <typename Tokenizer>
absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(const std::string& path) {
  ASSIGN_OR_RETURN(const ModelFiles files, ModelFiles::Open(path));
  return Tokenizer::Load(
      [&files](const std::string& name) { return files.Read(name); }, path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const WordPiece>> LoadWordPiece(
    const std::string& path) {
  return Load<WordPiece>(path);
}

absl::StatusOr<std::unique_ptr<const Bpe>> LoadBpe(const std::string& path) {
  return Load<Bpe>(path);
}

}  // namespace quaver
