// See index_folder.h.
#include "quaver/ingest/index_folder.h"

#include <algorithm>

#include "quaver/base/file.h"

namespace quaver {
namespace {

// What the rooms above rely on, beyond what a segment knows of itself.
absl::Status CheckPart(const Segment& segment, size_t dimension,
                       const std::string& path) {
  for (int type = kNumEntityTypes; type < kMaxDocumentTypes; ++type) {
    const auto [begin, end] = segment.TypeRange(static_cast<uint8_t>(type));
    if (begin == end) continue;
    return absl::InvalidArgumentError(fmt::format(
        "{} has documents of the unknown type {}; run quaver ingest again",
        path, type));
  }
  if (segment.vectors() != nullptr &&
      segment.vectors()->dimension() != dimension) {
    return absl::InvalidArgumentError(fmt::format(
        "{} has vectors of {} numbers, index.json says {}; run quaver ingest "
        "again",
        path, segment.vectors()->dimension(), dimension));
  }
  return absl::OkStatus();
}

absl::StatusOr<SnapshotSegment> OpenPart(const std::string& folder,
                                         const ManifestSegment& entry,
                                         size_t dimension) {
  const std::string path = folder + "/" + entry.file;
  SnapshotSegment part;
  ASSIGN_OR_RETURN(part.segment, Segment::Open(path, BestKernels()));
  if (part.segment->num_documents() != entry.num_documents) {
    return absl::InvalidArgumentError(
        fmt::format("{} has {} documents, index.json says {}; run quaver "
                    "ingest again",
                    path, part.segment->num_documents(), entry.num_documents));
  }
  RETURN_IF_ERROR(CheckPart(*part.segment, dimension, path));
  if (entry.deleted.empty()) return part;
  auto deleted = std::make_shared<Tombstones>(entry.num_documents);
  for (const uint32_t doc : entry.deleted) deleted->Set(doc);
  part.deleted = std::move(deleted);
  return part;
}

absl::StatusOr<ArtifactWriter> Build(std::vector<Document> documents,
                                     size_t dimension, int num_threads) {
  SegmentBuilder builder(
      {.dimension = dimension, .vectors = {.num_threads = num_threads}});
  for (Document& document : documents) {
    RETURN_IF_ERROR(builder.Add(std::move(document)));
  }
  return builder.Finish();
}

}  // namespace

absl::StatusOr<Snapshot> OpenSnapshot(const std::string& folder,
                                      const Manifest& manifest) {
  Snapshot snapshot;
  snapshot.sequence = manifest.sequence;
  for (const ManifestSegment& entry : manifest.segments) {
    ASSIGN_OR_RETURN(snapshot.segments.emplace_back(),
                     OpenPart(folder, entry, manifest.dimension));
  }
  return snapshot;
}

absl::StatusOr<StoredSegment> WriteSegment(const std::string& folder,
                                           std::vector<Document> documents,
                                           size_t dimension, int num_threads) {
  std::string bytes;
  {
    ASSIGN_OR_RETURN(const ArtifactWriter writer,
                     Build(std::move(documents), dimension, num_threads));
    bytes = writer.Serialize();
  }
  StoredSegment stored;
  stored.file = SegmentFileName(bytes);
  const std::string path = folder + "/" + stored.file;
  RETURN_IF_ERROR(WriteFileAtomically(path, bytes));
  ASSIGN_OR_RETURN(stored.segment, Segment::Open(path, BestKernels()));
  return stored;
}

absl::StatusOr<std::shared_ptr<const Segment>> BuildInMemory(
    std::vector<Document> documents, size_t dimension) {
  ASSIGN_OR_RETURN(const ArtifactWriter writer,
                   Build(std::move(documents), dimension, /*num_threads=*/1));
  ASSIGN_OR_RETURN(
      auto artifact,
      Artifact::FromBytes(writer.Serialize(), kSegmentFormat, kSegmentVersion));
  return Segment::FromArtifact(std::move(artifact), BestKernels());
}

Document ReadDocument(const Segment& segment, uint32_t doc) {
  const DocumentView view = segment.document(doc);
  Document document{.type = view.type,
                    .id = std::string(view.id),
                    .title = std::string(view.title),
                    .artist = std::string(view.artist),
                    .album = std::string(view.album),
                    .genre = std::string(view.genre),
                    .description = std::string(view.description),
                    .year = view.year,
                    .popularity = view.popularity,
                    .embedding = {},
                    .embedded_hash = view.embedded_hash};
  if (segment.vectors() == nullptr) return document;
  document.embedding.resize(segment.vectors()->dimension());
  if (!segment.vectors()->Reconstruct(doc, document.embedding)) {
    document.embedding.clear();
  }
  return document;
}

PopularityScale ScaleOf(const Manifest& manifest) {
  PopularityScale scale;
  for (size_t type = 0; type < scale.size(); ++type) {
    if (type >= manifest.popularity.size()) break;
    const Quantiles& quantiles = manifest.popularity[type];
    if (quantiles.size() == kNumQuantiles &&
        std::is_sorted(quantiles.begin(), quantiles.end())) {
      scale[type] = quantiles;
    }
  }
  return scale;
}

absl::Status CheckModel(const Manifest& manifest, const ModelIdentity& model,
                        const std::string& folder) {
  if (manifest.model_hash == model.hash) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "{} was made with the encoder {} ({}), not with {} ({}); run quaver "
      "ingest with this encoder, or name the other by --model",
      folder, manifest.model, manifest.model_hash, model.name, model.hash));
}

absl::Status CheckSequence(const Manifest& manifest, uint64_t last_sequence,
                           const std::string& folder) {
  if (manifest.sequence <= last_sequence) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "{}/catalogue.db ends with change {}, index.json is of change {}: it is "
      "missing or an old copy; restore it, or run quaver ingest again",
      folder, last_sequence, manifest.sequence));
}

}  // namespace quaver
