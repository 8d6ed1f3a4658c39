// Fuzzer: any bytes as a byte-level tokenizer.json, and a text.
#include <cstddef>
#include <cstdint>

#include "quaver/text/internal/fuzz_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quaver::CheckBpeJson({reinterpret_cast<const char*>(data), size});
  return 0;
}
