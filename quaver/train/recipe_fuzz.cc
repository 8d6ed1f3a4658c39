// Fuzzer: any bytes as a recipe.
#include <cstddef>
#include <cstdint>

#include "quaver/train/internal/fuzz_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quaver::CheckRecipeJson({reinterpret_cast<const char*>(data), size});
  return 0;
}
