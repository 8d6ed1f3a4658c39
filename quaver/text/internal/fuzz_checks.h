// What must hold for any bytes: run by the fuzzers and over their corpora.
#pragma once

#include <string_view>

namespace quaver {

// Each aborts when it does not hold.
void CheckNormalize(std::string_view bytes);      // every form of normalize.h
void CheckTokenizerJson(std::string_view bytes);  // a file, then a text
void CheckWordPiece(std::string_view bytes);      // a text, small vocabulary
// A file or two, then a text: cut at zero bytes.
void CheckBpeJson(std::string_view bytes);        // tokenizer.json
void CheckBpeVocabulary(std::string_view bytes);  // vocab.json, merges.txt

}  // namespace quaver
