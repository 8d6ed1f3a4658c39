// See json.h.
#include "quaver/base/json.h"

#include <algorithm>

namespace quaver {
namespace {

// Of the brackets in a JSON text; any number for what is none. The library's
// own callback, which gives it as well, doubles the time of parsing.
int Depth(std::string_view text) {
  int depth = 0, deepest = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') quoted = !quoted;
    if (c == '\\') ++i;  // only in strings
    if (quoted) continue;
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == '}') --depth;
  }
  return deepest;
}

}  // namespace

nlohmann::json ParseJson(std::string_view text) {
  using Json = nlohmann::json;
  if (Depth(text) > kMaxJsonDepth) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace quaver
