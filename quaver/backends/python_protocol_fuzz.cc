// Fuzzes what reads the answers of Python processes.
#include <cstddef>
#include <cstdint>

#include "quaver/backends/internal/python_protocol_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quaver::CheckPythonAnswer({reinterpret_cast<const char*>(data), size});
  return 0;
}
