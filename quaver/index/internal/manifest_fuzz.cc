// See manifest_fuzz.h.
#include "quaver/index/internal/manifest_fuzz.h"

#include "quaver/base/check.h"
#include "quaver/index/manifest.h"

namespace quaver {

std::string CheckManifest(std::string_view text) {
  const auto manifest = ParseManifest(std::string(text), "index.json");
  if (!manifest.ok()) {
    QUAVER_CHECK(!manifest.status().message().empty());
    return Message(manifest.status());
  }
  const auto again = ParseManifest(FormatManifest(*manifest), "index.json");
  QUAVER_CHECK(again.ok());
  QUAVER_CHECK(*again == *manifest);
  return "";
}

}  // namespace quaver
