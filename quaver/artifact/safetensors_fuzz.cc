// Fuzzer: any bytes as a safetensors file, foreign and ours.
#include <cstddef>
#include <cstdint>

#include "quaver/artifact/internal/fuzz_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quaver::CheckSafetensors({reinterpret_cast<const char*>(data), size});
  return 0;
}
