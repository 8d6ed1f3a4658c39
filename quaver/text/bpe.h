// The byte-level BPE tokenizer of GPT-2 and BART: id for id what the PyPI
// package `tokenizers` gives.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/base/status.h"
#include "quaver/text/bpe_spec.h"

namespace quaver {

// Merges left out at random while a text is encoded, so that a model that
// learns from it sees how words are composed (Provilkov et al. 2020,
// "BPE-Dropout"). What is left out is not tried again, as it is in the paper: a
// share of 0.1 cuts as many words differently as 0.15 does there.
struct BpeDropout {
  double share = 0;          // of merges, in [0, 1]
  Random* random = nullptr;  // REQUIRES: one where share > 0
};

//   ASSIGN_OR_RETURN(auto tokenizer, Bpe::Load("models/corrector"));
//   tokenizer->Encode("purple rain", 64);  // <s> purple rain </s>
//
// Immutable, thread-safe.
class Bpe {
 public:
  // Reads tokenizer.json, else vocab.json and merges.txt, from a model folder.
  // Errors as the parsers' in bpe_spec.h, with the file's name.
  static absl::StatusOr<std::unique_ptr<const Bpe>> Load(
      const std::string& folder);
  // The same of files that lie elsewhere; `where` is what errors call it.
  static absl::StatusOr<std::unique_ptr<const Bpe>> Load(
      const FileReader& read, const std::string& where);
  static absl::StatusOr<std::unique_ptr<const Bpe>> FromSpec(BpeSpec spec);
  ~Bpe();

  // The ids of a text between those that the tokenizer puts around it, at most
  // `max_tokens` with them (the rest of the text is dropped). Any bytes;
  // invalid ones are treated as Python's bytes.decode("utf-8", "replace")
  // would. O(bytes log(bytes of the longest word)).
  // REQUIRES: max_tokens is at least as great as the number of ids around.
  std::vector<int32_t> Encode(std::string_view text, int max_tokens,
                              const BpeDropout& dropout = {}) const;

  // The text of ids, without special tokens; ids that are none are left out.
  // Bytes as they come: a token may hold a part of a character.
  std::string Decode(std::span<const int32_t> ids) const;

  // The id of a token in its written form ("<s>", "Ġthe").
  std::optional<int32_t> Find(std::string_view token) const;

  int vocab_size() const;  // greatest id + 1
  const BpeSpec& spec() const;

 private:
  struct Impl;
  explicit Bpe(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace quaver
