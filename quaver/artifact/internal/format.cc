// See format.h.
#include "quaver/artifact/internal/format.h"

#include <limits>

#include "quaver/base/hash.h"

namespace quaver {

std::optional<uint64_t> BytesOf(const std::vector<int64_t>& shape,
                                size_t element_bytes) {
  constexpr auto kMax =
      static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  uint64_t bytes = element_bytes;
  for (const int64_t dimension : shape) {
    const auto size = static_cast<uint64_t>(dimension);
    if (size != 0 && bytes > kMax / size) return std::nullopt;
    bytes *= size;
  }
  return bytes;
}

std::string Dump(const nlohmann::json& header) {
  return header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string Checksum(nlohmann::json header, std::span<const std::byte> data) {
  header[kMetadataKey].erase("checksum");
  return Hex64(Hash64(data, /*seed=*/Hash64(Dump(header))));
}

}  // namespace quaver
