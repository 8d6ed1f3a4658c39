// What quaver serve logs, and how: options with Triton's words.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace quaver {

struct LogOptions {
  int verbose = 0;  // above 0: everything
  bool info = true;
  bool warning = true;
  bool error = true;
  std::string format = "text";
};

void AddLogOptions(CLI::App& command, LogOptions& options);

// The least level that is on is logged, and all above it. Before other threads
// log.
void SetLog(const LogOptions& options);

}  // namespace quaver
