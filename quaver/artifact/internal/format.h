// The file format that reader and writer share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace quaver {

inline constexpr size_t kArtifactAlignment = 64;
inline constexpr size_t kLengthBytes = 8;
inline constexpr char kMetadataKey[] = "__metadata__";
// Safetensors allows no holes between tensors, so gaps are tensors as well.
inline constexpr std::string_view kPadding = "_pad.";

// The product of the dimensions times `element_bytes`, or nothing when it
// does not fit 63 bits.
std::optional<uint64_t> BytesOf(const std::vector<int64_t>& shape,
                                size_t element_bytes);

// Sixteen hexadecimal digits that cover the header, without the checksum
// itself, and the data.
std::string Checksum(nlohmann::json header, std::span<const std::byte> data);

// The header as text, the same for the same content.
std::string Dump(const nlohmann::json& header);

}  // namespace quaver
