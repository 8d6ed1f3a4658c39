// Fuzzer: any bytes as a delimited file with any options.
#include <cstddef>
#include <cstdint>

#include "quaver/catalogue/internal/fuzz_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quaver::CheckDelimited({reinterpret_cast<const char*>(data), size});
  return 0;
}
