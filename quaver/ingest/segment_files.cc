// See segment_files.h.
#include "quaver/ingest/segment_files.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "quaver/base/check.h"

namespace quaver {
namespace {

// Merges are not to take cores from queries.
constexpr int kThreads = 1;

std::vector<uint32_t> DeletedDocuments(const SnapshotSegment& part) {
  std::vector<uint32_t> deleted;
  for (uint32_t doc = 0; doc < part.segment->num_documents(); ++doc) {
    if (!part.Alive(doc)) deleted.push_back(doc);
  }
  return deleted;
}

// What of `merged` is dead: it was alive in `source` and is not in `now`.
void CarryDeletions(const SnapshotSegment& source, const SnapshotSegment& now,
                    const Segment& merged, Tombstones& deleted) {
  for (uint32_t doc = 0; doc < source.segment->num_documents(); ++doc) {
    if (!source.Alive(doc) || now.Alive(doc)) continue;
    const auto place = merged.Find(source.segment->document(doc).id);
    QUAVER_CHECK(place.has_value());
    deleted.Set(*place);
  }
}

}  // namespace

SegmentFiles::SegmentFiles(std::string folder, Manifest manifest,
                           std::vector<SnapshotSegment> parts)
    : folder_(std::move(folder)),
      manifest_(std::move(manifest)),
      parts_(std::move(parts)) {}

void SegmentFiles::Delete(const std::vector<Change>& changes) {
  for (SnapshotSegment& part : parts_) {
    std::shared_ptr<Tombstones> deleted;  // copied once, at the first deletion
    for (const Change& change : changes) {
      const auto doc = part.segment->Find(change.id);
      if (!doc || !part.Alive(*doc)) continue;
      if (deleted == nullptr) {
        deleted =
            part.deleted
                ? std::make_shared<Tombstones>(*part.deleted)
                : std::make_shared<Tombstones>(part.segment->num_documents());
        part.deleted = deleted;
      }
      deleted->Set(*doc);
    }
  }
}

absl::Status SegmentFiles::Append(std::vector<Document> documents,
                                  uint64_t sequence) {
  Manifest manifest = manifest_;
  std::vector<SnapshotSegment> parts = parts_;
  manifest.sequence = sequence;
  if (!documents.empty()) {
    ASSIGN_OR_RETURN(StoredSegment stored,
                     WriteSegment(folder_, std::move(documents),
                                  manifest.dimension, kThreads));
    manifest.segments.push_back({std::move(stored.file), 0, {}});
    parts.push_back({std::move(stored.segment), nullptr});
  }
  return Save(std::move(manifest), std::move(parts));
}

absl::Status SegmentFiles::Replace(const std::vector<SnapshotSegment>& sources,
                                   const StoredSegment& merged) {
  Manifest manifest = manifest_;
  manifest.segments.clear();
  std::vector<SnapshotSegment> parts;
  std::shared_ptr<Tombstones> deleted;
  if (merged.segment != nullptr) {
    deleted = std::make_shared<Tombstones>(merged.segment->num_documents());
  }
  for (size_t i = 0; i < parts_.size(); ++i) {
    const auto source = std::find_if(sources.begin(), sources.end(),
                                     [&](const SnapshotSegment& part) {
                                       return part.segment == parts_[i].segment;
                                     });
    if (source == sources.end()) {
      manifest.segments.push_back(manifest_.segments[i]);
      parts.push_back(parts_[i]);
    } else if (merged.segment != nullptr) {
      CarryDeletions(*source, parts_[i], *merged.segment, *deleted);
    }
  }
  if (merged.segment != nullptr) {
    if (deleted->count() == 0) deleted = nullptr;
    manifest.segments.push_back({merged.file, 0, {}});
    parts.push_back({merged.segment, std::move(deleted)});
  }
  return Save(std::move(manifest), std::move(parts));
}

absl::Status SegmentFiles::Save(Manifest manifest,
                                std::vector<SnapshotSegment> parts) {
  for (size_t i = 0; i < parts.size(); ++i) {
    manifest.segments[i].num_documents = parts[i].segment->num_documents();
    manifest.segments[i].deleted = DeletedDocuments(parts[i]);
  }
  RETURN_IF_ERROR(SaveManifest(folder_, manifest));
  manifest_ = std::move(manifest);
  parts_ = std::move(parts);
  return absl::OkStatus();
}

std::vector<size_t> ChooseMerge(const std::vector<uint32_t>& num_live,
                                size_t max_segments) {
  std::vector<size_t> order(num_live.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return num_live[a] < num_live[b];
  });
  size_t taken = order.size() + 1 - max_segments;
  uint64_t sum = 0;
  for (size_t i = 0; i < taken; ++i) sum += num_live[order[i]];
  while (taken < order.size() && num_live[order[taken]] <= 2 * sum) {
    sum += num_live[order[taken++]];
  }
  order.resize(taken);
  return order;
}

absl::StatusOr<StoredSegment> MergeSegments(
    const std::string& folder, const std::vector<SnapshotSegment>& sources,
    size_t dimension) {
  std::vector<Document> documents;
  for (const SnapshotSegment& part : sources) {
    for (uint32_t doc = 0; doc < part.segment->num_documents(); ++doc) {
      if (!part.Alive(doc)) continue;
      documents.push_back(ReadDocument(*part.segment, doc));
    }
  }
  if (documents.empty()) return StoredSegment{};
  return WriteSegment(folder, std::move(documents), dimension, kThreads);
}

uint32_t NumLive(const SnapshotSegment& part) {
  return part.segment->num_documents() -
         (part.deleted ? part.deleted->count() : 0);
}

}  // namespace quaver
