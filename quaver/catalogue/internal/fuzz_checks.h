// What must hold of an import of any bytes; for fuzzers and corpus tests.
#pragma once

#include <string_view>

namespace quaver {

// The first byte chooses format and options, the rest is the file.
void CheckDelimited(std::string_view input);
void CheckJsonl(std::string_view input);

}  // namespace quaver
