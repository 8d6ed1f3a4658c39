// BERT's tokenizer: id for id what the PyPI package `tokenizers` gives.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/file.h"
#include "quaver/base/status.h"

namespace quaver {

struct WordPieceSpec;

//   ASSIGN_OR_RETURN(auto tokenizer, WordPiece::Load("models/minilm"));
//   tokenizer->Encode("purple rain", 256);  // 101, 6379, 4542, 102
//
// Immutable, thread-safe.
class WordPiece {
 public:
  // Reads tokenizer.json, else vocab.txt with tokenizer_config.json, from a
  // model folder. Unimplemented, naming the field, for another kind of
  // tokenizer; InvalidArgument for a damaged file. The file's own padding is
  // ignored.
  static absl::StatusOr<std::unique_ptr<const WordPiece>> Load(
      const std::string& folder);
  // The same of files that lie elsewhere; `where` is what errors call it.
  static absl::StatusOr<std::unique_ptr<const WordPiece>> Load(
      const FileReader& read, const std::string& where);
  // The same from the content of a tokenizer.json.
  static absl::StatusOr<std::unique_ptr<const WordPiece>> FromJson(
      std::string_view tokenizer_json);
  ~WordPiece();

  // [CLS] ids [SEP], at most `max_tokens` with both (>= 2; the rest of the
  // text is dropped). Any bytes; invalid ones are treated as Python's
  // bytes.decode("utf-8", "replace") would. O(bytes).
  std::vector<int32_t> Encode(std::string_view text, int max_tokens) const;

  // The text of ids without special tokens, as `tokenizers` has it: words
  // joined by spaces, none before ".", "?", "!", "," and the endings "n't",
  // "'m", "'s", "'ve" and "'re". What normalisation
  // dropped stays dropped; ids that are none are left out.
  std::string Decode(std::span<const int32_t> ids) const;

  int vocab_size() const;  // greatest id + 1
  int32_t pad_id() const;  // of [PAD]; 0 where there is none

 private:
  struct Impl;
  static absl::StatusOr<std::unique_ptr<const WordPiece>> FromSpec(
      absl::StatusOr<WordPieceSpec> spec, const std::string& source);
  explicit WordPiece(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace quaver
