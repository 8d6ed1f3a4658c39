// See log_options.h.
#include "quaver/cli/log_options.h"

#include <limits>

#include "quaver/base/log.h"
#include "quaver/cli/bool_option.h"

namespace quaver {
namespace {

LogLevel LeastLevel(const LogOptions& options) {
  if (options.verbose > 0) return LogLevel::kDebug;
  if (options.info) return LogLevel::kInfo;
  if (options.warning) return LogLevel::kWarning;
  return options.error ? LogLevel::kError : LogLevel::kOff;
}

}  // namespace

void AddLogOptions(CLI::App& command, LogOptions& options) {
  command
      .add_option("--log-verbose", options.verbose,
                  "Above 0: log everything there is")
      ->check(CLI::Range(0, std::numeric_limits<int>::max()))
      ->capture_default_str();
  AddBoolOption(command, "--log-info", options.info,
                "Log what happens, and warnings and errors");
  AddBoolOption(command, "--log-warning", options.warning,
                "Without --log-info: warnings and errors");
  AddBoolOption(command, "--log-error", options.error,
                "Without --log-warning: errors alone");
  command
      .add_option("--log-format", options.format,
                  "json: an object a line; text, which is Triton's default and "
                  "ISO8601, too: for people")
      ->check(CLI::IsMember({"text", "json", "default", "ISO8601"}))
      ->capture_default_str();
}

void SetLog(const LogOptions& options) {
  SetLogFormat(options.format == "json" ? LogFormat::kJson : LogFormat::kText);
  SetLogLevel(LeastLevel(options));
}

}  // namespace quaver
