// JSON that others wrote.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

namespace quaver {

// Twice what any file of a model has. The library copies, compares and writes
// values by recursion: a few hundred thousand "[" would exhaust the stack.
constexpr int kMaxJsonDepth = 64;

// The value of a text; is_discarded() when it is no JSON, or is nested deeper
// than kMaxJsonDepth. Throws nothing.
nlohmann::json ParseJson(std::string_view text);

}  // namespace quaver
