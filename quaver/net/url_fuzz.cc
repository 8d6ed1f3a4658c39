// Fuzzes the request target's parser.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "quaver/base/check.h"
#include "quaver/net/url.h"

// What was parsed, written again and parsed again, must be the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using quaver::PercentEncode;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto target = quaver::ParseTarget(text);
  if (!target.ok()) return 0;
  if (target->path != "*") {
    QUAVER_CHECK(quaver::SplitPath(target->path).ok());
    QUAVER_CHECK(!quaver::SplitPath(target->path)->empty());
  }
  std::string again = target->path + "?";
  for (const auto& [name, value] : target->query) {
    again += PercentEncode(name) + "=" + PercentEncode(value) + "&";
  }
  if (target->path == "*") return 0;
  const auto second = quaver::ParseTarget(again);
  QUAVER_CHECK(second.ok());
  QUAVER_CHECK(second->path == target->path);
  QUAVER_CHECK(second->query == target->query);
  return 0;
}
