// What must hold for any bytes: run by the fuzzers and over their corpora.
#pragma once

#include <string_view>

namespace quaver {

// Each aborts when it does not hold. Whether the bytes were accepted.
bool CheckBartConfig(std::string_view bytes);  // as config.json
bool CheckRecipeJson(std::string_view bytes);  // as a recipe

}  // namespace quaver
