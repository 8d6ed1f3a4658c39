// Fuzzer: any bytes as JSONL, and one JSON document.
#include <cstddef>
#include <cstdint>

#include "quaver/catalogue/internal/fuzz_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quaver::CheckJsonl({reinterpret_cast<const char*>(data), size});
  return 0;
}
