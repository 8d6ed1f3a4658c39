// What must hold for any bytes: run by the fuzzer and over its corpus.
#pragma once

#include <string_view>

namespace quaver {

// Aborts when it does not hold. Whether the bytes were a valid file.
bool CheckSafetensors(std::string_view bytes);

}  // namespace quaver
