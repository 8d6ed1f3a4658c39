// See manifest.h.
#include "quaver/index/manifest.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include <nlohmann/json.hpp>

#include "quaver/base/file.h"
#include "quaver/base/hash.h"

namespace quaver {
namespace {

using nlohmann::json;

constexpr char kFormat[] = "quaver.index";

absl::Status BadField(const std::string& path, const std::string& field) {
  return absl::InvalidArgumentError(fmt::format(
      "{}: field '{}' is missing or of the wrong type; run quaver ingest again",
      path, field));
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

bool IsPlainName(const std::string& file) {
  return !file.empty() && file.find('/') == std::string::npos && file != ".." &&
         file != ".";
}

absl::Status ReadSegment(const json& object, const std::string& path,
                         ManifestSegment& segment) {
  if (!object.is_object()) return BadField(path, "segments");
  RETURN_IF_ERROR(Read(object, "file", path, segment.file));
  RETURN_IF_ERROR(Read(object, "documents", path, segment.num_documents));
  RETURN_IF_ERROR(Read(object, "deleted", path, segment.deleted));
  const auto& deleted = segment.deleted;
  if (!IsPlainName(segment.file)) return BadField(path, "file");
  if (!std::is_sorted(deleted.begin(), deleted.end()) ||
      (!deleted.empty() && deleted.back() >= segment.num_documents)) {
    return BadField(path, "deleted");
  }
  return absl::OkStatus();
}

absl::Status CheckHeader(const json& root, const std::string& path) {
  std::string format;
  int version = 0;
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
  const json root = json::parse(*text, nullptr, /*allow_exceptions=*/false);
  RETURN_IF_ERROR(CheckHeader(root, path));
  Manifest manifest;
  RETURN_IF_ERROR(Read(root, "model", path, manifest.model));
  RETURN_IF_ERROR(Read(root, "model_hash", path, manifest.model_hash));
  RETURN_IF_ERROR(Read(root, "dimension", path, manifest.dimension));
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

absl::Status SaveManifest(const std::string& folder, const Manifest& manifest) {
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
  const std::string text =
      root.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
  return WriteFileAtomically(folder + "/index.json", text);
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
