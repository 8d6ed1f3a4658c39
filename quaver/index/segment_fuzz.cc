// Fuzzer: segments that are damaged behind a right checksum.
#include "quaver/index/internal/segment_fuzz.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quaver::CheckEditedSegment({reinterpret_cast<const char*>(data), size});
  return 0;
}
