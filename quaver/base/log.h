// The log: one line an event on standard error, through spdlog.
#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json_fwd.hpp>

namespace quaver {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// Sets the least level that is printed (default kInfo; kOff: nothing is).
// Thread-safe.
void SetLogLevel(LogLevel level);

// kText: the time, the level and the message. kJson: an object with "time"
// (ISO 8601 with the zone), "level" and "message", and the fields of the line.
enum class LogFormat { kText, kJson };

// Default kText. Before other threads log.
void SetLogFormat(LogFormat format);

// Thread-safe; never throws. User text in `message` is printed as it is:
// quote it where it may hold control characters.
void Log(LogLevel level, std::string_view message);
// `fields`, an object, is what the message says, for programs: kText leaves it
// out. Bytes that are no UTF-8 become U+FFFD there.
void Log(LogLevel level, std::string_view message,
         const nlohmann::ordered_json& fields);

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
