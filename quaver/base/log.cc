// See log.h.
#include "quaver/base/log.h"

#include <atomic>

#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace quaver {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::err;
}

using Json = nlohmann::ordered_json;

constexpr char kTextPattern[] = "%Y-%m-%dT%H:%M:%S.%e %l %v";
// The message closes the object.
constexpr char kJsonPattern[] =
    R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v)";

std::atomic<LogFormat>& Format() {
  static std::atomic<LogFormat> format = LogFormat::kText;
  return format;
}

spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>(
        "quaver", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern(kTextPattern);
    return made;
  }();
  return *logger;
}

}  // namespace

void SetLogLevel(LogLevel level) { Logger().set_level(ToSpdlog(level)); }

void SetLogFormat(LogFormat format) {
  Format() = format;
  Logger().set_pattern(format == LogFormat::kJson ? kJsonPattern
                                                  : kTextPattern);
}

void Log(LogLevel level, std::string_view message) {
  Log(level, message, Json::object());
}

void Log(LogLevel level, std::string_view message, const Json& fields) {
  const auto spdlog_level = ToSpdlog(level);
  if (Format() == LogFormat::kText) {
    Logger().log(spdlog_level, "{}", message);
    return;
  }
  if (!Logger().should_log(spdlog_level)) return;
  Json line = {{"message", message}};
  line.update(fields);
  const std::string text =
      line.dump(-1, ' ', false, Json::error_handler_t::replace);
  Logger().log(spdlog_level, "{}", std::string_view(text).substr(1));
}

}  // namespace quaver
