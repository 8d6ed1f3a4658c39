// The one form in which text is compared: what a person would call the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quaver {

// NFKC with case folding, accents and width dropped, apostrophes dropped, all
// other punctuation and symbols to spaces, spaces squeezed and trimmed. Every
// script and emoji is kept; a text made of punctuation alone ("!!!", "†††")
// keeps it, so that it can be found. Invalid UTF-8 bytes become spaces. Never
// fails; the result is valid UTF-8. Idempotent. Thread-safe, O(bytes).
std::string Normalize(std::string_view text);

// The same with each byte's origin, for highlighting.
struct NormalizedText {
  std::string text;
  // Byte offset in the original of the character that made text[i];
  // [text.size() + 1], the last is the original's size.
  std::vector<uint32_t> source;
};
NormalizedText NormalizeWithSource(std::string_view text);

// The words of a normalised text, in order: maximal runs without spaces.
// Views into `normalized`.
std::vector<std::string_view> SplitWords(std::string_view normalized);

// Replaces invalid UTF-8 by U+FFFD and control characters by spaces, trims.
std::string CleanUtf8(std::string_view bytes);

// Unicode code points; invalid bytes give U+FFFD.
std::u32string ToCodePoints(std::string_view utf8);
std::string ToUtf8(std::u32string_view code_points);

}  // namespace quaver
