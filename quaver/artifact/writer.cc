// Writes what artifact.cc reads. See artifact.h.
#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/artifact/artifact.h"
#include "quaver/artifact/internal/format.h"
#include "quaver/base/check.h"

namespace quaver {
namespace {

using nlohmann::json;

size_t RoundUp(size_t bytes) {
  constexpr size_t kMultiple = kArtifactAlignment;
  return (bytes + kMultiple - 1) / kMultiple * kMultiple;
}

}  // namespace

ArtifactWriter::ArtifactWriter(std::string format, int version) {
  QUAVER_CHECK(!format.empty() && version >= 1);
  metadata_["format"] = std::move(format);
  metadata_["version"] = std::to_string(version);
}

ArtifactWriter ArtifactWriter::Plain() {
  ArtifactWriter writer;
  writer.is_ours_ = false;
  writer.metadata_["format"] = "pt";
  return writer;
}

void ArtifactWriter::SetMetadata(const std::string& key, std::string value) {
  metadata_[key] = std::move(value);
}

void ArtifactWriter::Add(const std::string& name, DataType type,
                         std::vector<int64_t> shape,
                         std::span<const std::byte> bytes) {
  QUAVER_CHECK(BytesOf(shape, SizeOf(type)) == bytes.size());
  QUAVER_CHECK(!name.starts_with(kPadding) && name != kMetadataKey);
  const auto [place, is_new] = entries_.try_emplace(name);
  QUAVER_CHECK(is_new);
  place->second = {
      type, std::move(shape),
      std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())};
}

std::string ArtifactWriter::Serialize() const {
  json header;
  header[kMetadataKey] = metadata_;
  std::string data;
  for (const auto& [name, entry] : entries_) {
    const size_t begin = is_ours_ ? RoundUp(data.size()) : data.size();
    if (begin > data.size()) {
      header[fmt::format("{}{}", kPadding, data.size())] = {
          {"dtype", "U8"},
          {"shape", {begin - data.size()}},
          {"data_offsets", {data.size(), begin}}};
      data.resize(begin);
    }
    data += entry.bytes;
    header[name] = {{"dtype", Name(entry.type)},
                    {"shape", entry.shape},
                    {"data_offsets", {begin, data.size()}}};
  }
  const auto bytes = std::as_bytes(std::span(data));
  if (is_ours_) header[kMetadataKey]["checksum"] = Checksum(header, bytes);
  std::string text = Dump(header);
  text.resize(RoundUp(kLengthBytes + text.size()) - kLengthBytes, ' ');
  const uint64_t header_bytes = text.size();
  std::string file(reinterpret_cast<const char*>(&header_bytes), kLengthBytes);
  return file.append(text).append(data);
}

absl::Status ArtifactWriter::WriteTo(const std::string& path) const {
  return WriteFileAtomically(path, Serialize());
}

}  // namespace quaver
