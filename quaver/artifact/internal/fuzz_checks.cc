// See fuzz_checks.h.
#include "quaver/artifact/internal/fuzz_checks.h"

#include <string>

#include "quaver/artifact/artifact.h"
#include "quaver/base/check.h"

namespace quaver {

bool CheckSafetensors(std::string_view bytes) {
  const auto ours = Artifact::FromBytes(std::string(bytes), "fuzz", 1);
  const auto file = Artifact::FromBytes(std::string(bytes), "", 0);
  QUAVER_CHECK(file.ok() || !ours.ok());  // ours are checked more
  if (!file.ok()) {
    QUAVER_CHECK(Message(file.status()).starts_with("memory: "));
    return false;
  }
  size_t total = 0;
  unsigned sum = 0;
  for (const auto& [name, view] : (*file)->tensors()) {
    QUAVER_CHECK((*file)->Find(name).ok());
    for (const std::byte byte : view.bytes) sum += static_cast<unsigned>(byte);
    total += view.bytes.size();
  }
  QUAVER_CHECK(total <= bytes.size() && sum <= 255 * total);
  return true;
}

}  // namespace quaver
