// index.json: which segment files make the index, and of which catalogue.
//
// An index folder holds catalogue.db (the record), segment-<16 hex>.qvs files
// and index.json, which is replaced atomically: a crash leaves the old index.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quaver/base/status.h"

namespace quaver {

inline constexpr int kManifestVersion = 1;

struct ManifestSegment {
  std::string file;  // in the folder
  uint32_t num_documents = 0;
  std::vector<uint32_t> deleted;  // document numbers, rising
  bool operator==(const ManifestSegment&) const = default;
};

struct Manifest {
  std::string model;       // the encoder's folder name, for people
  std::string model_hash;  // 16 hex digits, of its weights and tokenizer
  uint32_t dimension = 0;  // of its embeddings
  uint64_t sequence = 0;   // all changes of the catalogue up to it are in
  // By document type: quantiles of popularity; empty where it is not known.
  std::vector<std::vector<double>> popularity;
  std::vector<ManifestSegment> segments;  // oldest first
  bool operator==(const Manifest&) const = default;
};

// The text of an index.json. `path` is for messages. InvalidArgument naming the
// field for a damaged one; FailedPrecondition for a newer version.
absl::StatusOr<Manifest> ParseManifest(const std::string& text,
                                       const std::string& path);
// ParseManifest reads the same. REQUIRES: popularity is finite.
std::string FormatManifest(const Manifest& manifest);

// NotFound when the folder holds no index.json; else as ParseManifest.
absl::StatusOr<Manifest> LoadManifest(const std::string& folder);

// Durable and atomic.
absl::Status SaveManifest(const std::string& folder, const Manifest& manifest);

// Deletes segment files that the manifest does not name, and what an
// interrupted write left. Errors are not fatal and are only counted: returns
// the number of files that could not be deleted.
int RemoveUnusedFiles(const std::string& folder, const Manifest& manifest);

// A file name for a segment with this content: "segment-<16 hex>.qvs".
std::string SegmentFileName(const std::string& bytes);

}  // namespace quaver
