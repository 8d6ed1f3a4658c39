// What a model folder says about its WordPiece tokenizer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/text/internal/bert_normalizer.h"
#include "quaver/text/internal/piece_trie.h"

namespace quaver {

struct WordPieceSpec {
  struct AddedToken {
    std::string text;  // found in the raw text, before normalisation
    int32_t id;
  };

  BertNormalizerConfig normalizer;
  std::vector<PieceTrie::Piece> pieces;
  std::vector<AddedToken> added_tokens;
  int32_t cls_id = 0, sep_id = 0, unk_id = 0;
  int32_t vocab_size = 0;  // greatest id + 1
  size_t max_word_chars = 100;
};

// tokenizer.json. Errors as WordPiece::Load's.
absl::StatusOr<WordPieceSpec> ParseTokenizerJson(std::string_view json);

// vocab.txt and tokenizer_config.json.
absl::StatusOr<WordPieceSpec> ParseVocabulary(std::string_view vocab_txt,
                                              std::string_view config_json);

}  // namespace quaver
