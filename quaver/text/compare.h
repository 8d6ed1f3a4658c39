// The form in which evaluation compares texts, and letters by themselves.
#pragma once

#include <string>
#include <string_view>

namespace quaver {

// What a published figure compares: NFKD, lower case, combining marks and
// apostrophes (' and U+2019) dropped, every other character that is not a
// letter, number or underscore to a space, spaces squeezed and trimmed. Equal
// to these lines of Python, so that figures can be checked elsewhere:
//
//   s = unicodedata.normalize("NFKD", s).lower()
//   s = "".join(c for c in s if not unicodedata.combining(c))
//   s = re.sub(r"[^\w ]+", " ", re.sub("['\u2019]", "", s))
//   return re.sub(r"\s+", " ", s).strip()
//
// Invalid UTF-8 bytes become spaces. Unlike Normalize, a text of punctuation
// alone becomes empty. Idempotent, thread-safe, never fails, O(bytes).
std::string ComparableText(std::string_view utf8);

// Lower case in full (a capital sigma at a word's end gives the final one);
// accents and punctuation stay. Invalid UTF-8 bytes become U+FFFD.
std::string LowerCase(std::string_view utf8);

// A letter, number or underscore: Python's \w.
bool IsWordCharacter(char32_t code_point);

}  // namespace quaver
