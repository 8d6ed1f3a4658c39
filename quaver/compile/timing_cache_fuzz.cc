// Fuzzer: any text as a timing cache.
#include <cstddef>
#include <cstdint>
#include <string>

#include "quaver/base/check.h"
#include "quaver/compile/timing_cache.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto cache = quaver::TimingCache::Parse(text, "text");
  if (!cache.ok()) return 0;
  const auto again = quaver::TimingCache::Parse(cache->Text(), "text");
  QUAVER_CHECK(again.ok() && again->times() == cache->times());
  return 0;
}
