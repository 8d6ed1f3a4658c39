// See manifest.h.
#include "quaver/index/manifest.h"

#include <concepts>
#include <filesystem>
#include <set>
#include <system_error>

#include <nlohmann/json.hpp>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"
#include "quaver/index/vector.h"

namespace quaver {
namespace {

using nlohmann::json;

constexpr char kFormat[] = "quaver.index";

absl::Status BadField(const std::string& path, const std::string& field) {
  return absl::InvalidArgumentError(
      fmt::format("{}: field '{}' is missing, of the wrong type or out of "
                  "range; run quaver "
                  "ingest again",
                  path, field));
}

template <std::unsigned_integral T>
bool ReadNumber(const json& number, T& value) {
  if (!number.is_number_unsigned()) return false;
  const auto wide = number.get<uint64_t>();
  value = static_cast<T>(wide);
  return value == wide;
}

// Reads a field, or names it.
template <typename T>
absl::Status Read(const json& object, const char* field,
                  const std::string& path, T& value) {
  const auto found = object.find(field);
  if (found == object.end()) return BadField(path, field);
  try {
    found->get_to(value);
  } catch (const json::exception&) {
    return BadField(path, field);
  }
  return absl::OkStatus();
}

// get_to() would wrap a number that is out of range, or cut its fraction off.
template <std::unsigned_integral T>
absl::Status Read(const json& object, const char* field,
                  const std::string& path, T& value) {
  const auto found = object.find(field);
  if (found == object.end() || !ReadNumber(*found, value)) {
    return BadField(path, field);
  }
  return absl::OkStatus();
}

absl::Status ReadDeleted(const json& object, const std::string& path,
                         ManifestSegment& segment) {
  const auto found = object.find("deleted");
  if (found == object.end() || !found->is_array()) {
    return BadField(path, "deleted");
  }
  uint32_t least = 0;
  for (const json& element : *found) {
    uint32_t doc = 0;
    if (!ReadNumber(element, doc) || doc < least ||
        doc >= segment.num_documents) {
      return BadField(path, "deleted");
    }
    segment.deleted.push_back(doc);
    least = doc + 1;
  }
  return absl::OkStatus();
}

// A zero would end the name early for the system, but not for us.
bool IsPlainName(const std::string& file) {
  return !file.empty() && file.find('/') == std::string::npos &&
         file.find('\0') == std::string::npos && file != ".." && file != ".";
}

absl::Status ReadSegment(const json& object, const std::string& path,
                         ManifestSegment& segment) {
  if (!object.is_object()) return BadField(path, "segments");
  RETURN_IF_ERROR(Read(object, "file", path, segment.file));
  RETURN_IF_ERROR(Read(object, "documents", path, segment.num_documents));
  if (!IsPlainName(segment.file)) return BadField(path, "file");
  return ReadDeleted(object, path, segment);
}

absl::Status CheckHeader(const json& root, const std::string& path) {
  std::string format;
  uint64_t version = 0;
  if (!root.is_object() || !Read(root, "format", path, format).ok() ||
      format != kFormat) {
    return absl::InvalidArgumentError(
        fmt::format("{} is not an index of Quaver", path));
  }
  RETURN_IF_ERROR(Read(root, "version", path, version));
  if (version > kManifestVersion) {
    return absl::FailedPreconditionError(
        fmt::format("{} has version {}, this program reads up to {}; use a "
                    "newer program or run quaver ingest again",
                    path, version, kManifestVersion));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Manifest> ParseManifest(const std::string& text,
                                       const std::string& path) {
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  RETURN_IF_ERROR(CheckHeader(root, path));
  Manifest manifest;
  RETURN_IF_ERROR(Read(root, "model", path, manifest.model));
  RETURN_IF_ERROR(Read(root, "model_hash", path, manifest.model_hash));
  RETURN_IF_ERROR(Read(root, "dimension", path, manifest.dimension));
  // The builder of the next segment relies on it.
  if (manifest.dimension > kMaxVectorDimension) {
    return BadField(path, "dimension");
  }
  RETURN_IF_ERROR(Read(root, "sequence", path, manifest.sequence));
  RETURN_IF_ERROR(Read(root, "popularity", path, manifest.popularity));
  const auto segments = root.find("segments");
  if (segments == root.end() || !segments->is_array()) {
    return BadField(path, "segments");
  }
  for (const json& object : *segments) {
    RETURN_IF_ERROR(
        ReadSegment(object, path, manifest.segments.emplace_back()));
  }
  return manifest;
}

std::string FormatManifest(const Manifest& manifest) {
  json segments = json::array();
  for (const ManifestSegment& segment : manifest.segments) {
    segments.push_back({{"file", segment.file},
                        {"documents", segment.num_documents},
                        {"deleted", segment.deleted}});
  }
  const json root = {{"format", kFormat},
                     {"version", kManifestVersion},
                     {"model", manifest.model},
                     {"model_hash", manifest.model_hash},
                     {"dimension", manifest.dimension},
                     {"sequence", manifest.sequence},
                     {"popularity", manifest.popularity},
                     {"segments", segments}};
  return root.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Manifest> LoadManifest(const std::string& folder) {
  const std::string path = folder + "/index.json";
  auto text = ReadFile(path);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(
        fmt::format("{} holds no index (no index.json); make one with "
                    "quaver ingest --out {} FILE...",
                    folder, folder));
  }
  RETURN_IF_ERROR(text.status());
  return ParseManifest(*text, path);
}

absl::Status SaveManifest(const std::string& folder, const Manifest& manifest) {
  return WriteFileAtomically(folder + "/index.json", FormatManifest(manifest));
}

int RemoveUnusedFiles(const std::string& folder, const Manifest& manifest) {
  std::set<std::string> used;
  for (const ManifestSegment& segment : manifest.segments) {
    used.insert(segment.file);
  }
  int failures = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool segment = name.starts_with("segment-") && !used.contains(name);
    if (!segment && !name.ends_with(".tmp")) continue;
    std::error_code removal;
    if (!std::filesystem::remove(entry.path(), removal)) ++failures;
  }
  return failures;
}

std::string SegmentFileName(const std::string& bytes) {
  return fmt::format("segment-{}.qvs", Hex64(Hash64(bytes)));
}

}  // namespace quaver
