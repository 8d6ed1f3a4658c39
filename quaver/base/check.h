// CHECK macros: for what only a bug can cause, never for what input can cause.
#pragma once

#include <string_view>

namespace quaver {

// Logs the condition with its place and aborts.
[[noreturn]] void CheckFailed(std::string_view condition, const char* file,
                              int line);

}  // namespace quaver

// On in every build: one predictable branch.
#define QUAVER_CHECK(condition)                              \
  do {                                                       \
    if (!(condition)) [[unlikely]]                           \
      ::quaver::CheckFailed(#condition, __FILE__, __LINE__); \
  } while (false)
