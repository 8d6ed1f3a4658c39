// What must hold for any bytes: run by the fuzzers and over their corpora.
#pragma once

#include <string_view>

namespace quaver {

// Each aborts when it does not hold.
void CheckNormalize(std::string_view bytes);      // every form of normalize.h
void CheckTokenizerJson(std::string_view bytes);  // a file, then a text
void CheckWordPiece(std::string_view bytes);      // a text, small vocabulary

}  // namespace quaver
