// What a byte-level BPE tokenizer consists of, and its files.
//
// A token is written as GPT-2 does: each byte stands as one printable character
// ("Ġ" is a space), so that every token is a text.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quaver/base/status.h"

namespace quaver {

// The most ids that a tokenizer of ours puts around a text; BART's puts two.
constexpr int kMaxIdsAround = 4;

struct BpeSpec {
  struct AddedToken {
    std::string text;  // found in the raw text
    int32_t id = 0;
    bool lstrip = false;  // takes the white space before it along
    bool rstrip = false;  // and after it
    bool special = true;  // left out of decoded text
  };

  // Every token, added ones as well; no two have one id.
  std::map<std::string, int32_t> vocab;
  std::vector<std::pair<std::string, std::string>> merges;  // best first
  std::vector<AddedToken> added_tokens;
  bool add_prefix_space = false;  // the first word as if a space preceded
  // Ids of tokens, put around a text: at most kMaxIdsAround.
  std::vector<int32_t> before, after;
};

// tokenizer.json of the PyPI package `tokenizers`. Unimplemented, naming the
// field, for another kind of tokenizer; InvalidArgument for a damaged file.
absl::StatusOr<BpeSpec> ParseBpeJson(std::string_view tokenizer_json);

// vocab.json and merges.txt. <s>, <pad>, </s>, <unk> and <mask> become added
// tokens where the vocabulary has them; texts stand between <s> and </s> then.
absl::StatusOr<BpeSpec> ParseBpeVocabulary(std::string_view vocab_json,
                                           std::string_view merges_txt);

// The three files' contents. ParseBpeJson(ToTokenizerJson(spec)) is `spec`.
std::string ToTokenizerJson(const BpeSpec& spec);
std::string ToVocabJson(const BpeSpec& spec);
std::string ToMergesText(const BpeSpec& spec);

// A byte's printable character in UTF-8.
std::string_view ByteCharacter(uint8_t byte);
// The bytes that a token stands for; characters that are no byte's (in added
// tokens) stay as they are.
std::string TokenBytes(std::string_view token);

}  // namespace quaver
