// Which keys lie beside which.
#pragma once

#include <string_view>

namespace quaver {

// The keys that touch a lower-case letter's or digit's on a QWERTY keyboard,
// digits included; empty for every other character.
std::u32string_view NearKeys(char32_t key);

}  // namespace quaver
