// The log: one line an event on standard error, through spdlog.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace quaver {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Sets the least level that is printed (default kInfo). Thread-safe.
void SetLogLevel(LogLevel level);

// Thread-safe; never throws. User text in `message` is printed as it is:
// quote it where it may hold control characters.
void Log(LogLevel level, std::string_view message);

template <typename... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogWarning(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  Log(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace quaver
