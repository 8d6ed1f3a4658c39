// Boolean options as Triton takes them.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace quaver {

// --name, --name=<value> or --name <value>: true, 1 and on, or false, 0 and
// off, in any case; without a value: true. `value` outlives the parsing.
CLI::Option* AddBoolOption(CLI::App& command, const std::string& name,
                           bool& value, const std::string& help);

}  // namespace quaver
