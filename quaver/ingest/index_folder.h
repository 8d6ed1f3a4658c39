// The files of an index folder: opening them, adding to them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quaver/artifact/model_identity.h"
#include "quaver/base/status.h"
#include "quaver/index/document.h"
#include "quaver/index/manifest.h"
#include "quaver/index/snapshot.h"
#include "quaver/ingest/popularity.h"

namespace quaver {

// Maps all segments that the manifest names. DataLoss or InvalidArgument
// naming the file that is damaged, NotFound for one that is missing.
absl::StatusOr<Snapshot> OpenSnapshot(const std::string& folder,
                                      const Manifest& manifest);

// A segment with its place in the manifest.
struct StoredSegment {
  std::string file;
  std::shared_ptr<const Segment> segment;
};

// Builds a segment and writes its file; not in the manifest yet. Threads as in
// VectorConfig.
absl::StatusOr<StoredSegment> WriteSegment(const std::string& folder,
                                           std::vector<Document> documents,
                                           size_t dimension, int num_threads);

// Builds a segment in memory, in the caller's thread.
absl::StatusOr<std::shared_ptr<const Segment>> BuildInMemory(
    std::vector<Document> documents, size_t dimension);

// A stored document as it was added, its embedding reconstructed.
Document ReadDocument(const Segment& segment, uint32_t doc);

PopularityScale ScaleOf(const Manifest& manifest);

// FailedPrecondition, naming both, when the index is of another encoder.
absl::Status CheckModel(const Manifest& manifest, const ModelIdentity& model,
                        const std::string& folder);

// FailedPrecondition when the index is ahead of the catalogue, which is the
// record: catalogue.db is missing or an old copy.
absl::Status CheckSequence(const Manifest& manifest, uint64_t last_sequence,
                           const std::string& folder);

}  // namespace quaver
