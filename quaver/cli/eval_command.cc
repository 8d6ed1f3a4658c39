// quaver eval: how good search, index and encoder are.
#include <CLI/CLI.hpp>

#include "quaver/cli/commands.h"

namespace quaver {

void AddEvalCommand(CLI::App&, Action&) {}

}  // namespace quaver
