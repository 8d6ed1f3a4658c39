// Options of Triton's that tools pass and that mean nothing here.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace quaver {

// Takes them, with any value, and puts the names of those that are given into
// `given`, which outlives the parsing. Those that keep callers out are refused
// instead: who gives them counts on it.
void AddUnfollowedOptions(CLI::App& command, std::vector<std::string>& given);

// A line of the log for each.
void WarnOfUnfollowed(const std::vector<std::string>& given);

}  // namespace quaver
