// UTF-8 in and out, one code point at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <unicode/utf8.h>

namespace quaver {

// Decodes the code point at text[*position] and moves past it. U+FFFD for
// each maximal part of an ill-formed sequence, as Python's "replace" and the
// WHATWG decoder do. REQUIRES: *position < text.size().
inline char32_t NextCodePoint(std::string_view text, size_t* position) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  size_t at = *position;
  UChar32 code_point;
  U8_NEXT_OR_FFFD(bytes, at, text.size(), code_point);
  *position = at;
  return static_cast<char32_t>(code_point);
}

// REQUIRES: `code_point` is a Unicode scalar value.
inline void AppendUtf8(char32_t code_point, std::string* text) {
  if (code_point < 0x80) {
    text->push_back(static_cast<char>(code_point));
    return;
  }
  char bytes[4];
  size_t size = 0;
  U8_APPEND_UNSAFE(bytes, size, static_cast<UChar32>(code_point));
  text->append(bytes, size);
}

inline bool IsAscii(std::string_view text) {
  char seen = 0;
  for (const char byte : text) seen |= byte;
  return (seen & 0x80) == 0;
}

}  // namespace quaver
