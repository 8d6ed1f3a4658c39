// How GPT-2 cuts a text into words before BPE.
#pragma once

#include <cstddef>
#include <string_view>

namespace quaver {

// The end of the word that begins at text[begin], in bytes, as this pattern
// would match it:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Every byte belongs to one word. REQUIRES: valid UTF-8, begin < text.size().
size_t ByteLevelWordEnd(std::string_view text, size_t begin);

// Unicode's White_Space.
bool IsSpace(char32_t code_point);

}  // namespace quaver
