// The Python code of quaver/backends/python, embedded in the program.
#pragma once

#include <span>
#include <string_view>

namespace quaver {

struct PythonSource {
  std::string_view name;  // "quaver_wire.py"
  std::string_view content;
};

// Written by cmake/embed.cmake at build time.
std::span<const PythonSource> PythonSources();

}  // namespace quaver
