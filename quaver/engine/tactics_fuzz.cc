// Fuzzer: any text as the tactics of a plan.
#include <cstddef>
#include <cstdint>
#include <string>

#include "quaver/base/check.h"
#include "quaver/engine/tactics.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const quaver::Kernels* kernels : quaver::AvailableKernels()) {
    const auto table = quaver::TacticTable::Parse(text, *kernels);
    if (!table.ok()) continue;
    const std::string written = table->Text(*kernels);
    const auto again = quaver::TacticTable::Parse(written, *kernels);
    QUAVER_CHECK(again.ok() && again->Text(*kernels) == written);
  }
  return 0;
}
