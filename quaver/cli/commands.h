// The subcommands of `quaver`: each adds its options and sets what to run.
#pragma once

#include <functional>

#include "quaver/base/status.h"

namespace CLI {
class App;
}

namespace quaver {

// What main() runs once the command line was parsed.
using Action = std::function<absl::Status()>;

// Each adds a subcommand to `app`; parsing it sets `action`. `app` and `action`
// must outlive the call to `action`.
void AddIngestCommand(CLI::App& app, Action& action);
void AddServeCommand(CLI::App& app, Action& action);
void AddSearchCommand(CLI::App& app, Action& action);
void AddCorrectCommand(CLI::App& app, Action& action);
void AddEmbedCommand(CLI::App& app, Action& action);
void AddGenerateCommand(CLI::App& app, Action& action);
void AddEvalCommand(CLI::App& app, Action& action);
void AddBenchCommand(CLI::App& app, Action& action);
void AddBenchEncoderCommand(CLI::App& bench, Action& action);
void AddBenchLoadCommand(CLI::App& bench, Action& action);
void AddCompileCommand(CLI::App& app, Action& action);
void AddInspectCommand(CLI::App& app, Action& action);

}  // namespace quaver
