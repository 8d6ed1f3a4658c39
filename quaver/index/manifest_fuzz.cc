// Fuzzer: any bytes as index.json.
#include "quaver/index/internal/manifest_fuzz.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quaver::CheckManifest({reinterpret_cast<const char*>(data), size});
  return 0;
}
