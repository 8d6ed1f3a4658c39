// Fuzzer: vector indexes that are damaged behind a right checksum.
#include <cstddef>
#include <cstdint>

#include "quaver/index/internal/vector_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quaver::CheckEditedVectors({reinterpret_cast<const char*>(data), size});
  return 0;
}
