// The segment files of an index and what was deleted from them: the writer's
// side of index.json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/catalogue/store.h"
#include "quaver/index/manifest.h"
#include "quaver/index/snapshot.h"
#include "quaver/ingest/index_folder.h"

namespace quaver {

// Not thread-safe. A call that fails changes nothing, on disk or in memory.
class SegmentFiles {
 public:
  // `parts` are the opened segments of the manifest, in its order.
  SegmentFiles(std::string folder, Manifest manifest,
               std::vector<SnapshotSegment> parts);

  const std::vector<SnapshotSegment>& parts() const { return parts_; }
  const Manifest& manifest() const { return manifest_; }  // as saved
  size_t dimension() const { return manifest_.dimension; }
  // Changes up to it are in index.json.
  uint64_t saved_sequence() const { return manifest_.sequence; }

  // Deletes what the changes change, in memory; Append and Replace save it.
  void Delete(const std::vector<Change>& changes);
  // Writes a segment of these documents, which may be none, and index.json.
  absl::Status Append(std::vector<Document> documents, uint64_t sequence);
  // Puts `merged` in the place of the segments that were merged into it, as
  // they were then, and writes index.json. What was deleted from them since is
  // deleted from it. No merged segment when nothing was left.
  absl::Status Replace(const std::vector<SnapshotSegment>& sources,
                       const StoredSegment& merged);

 private:
  absl::Status Save(Manifest manifest, std::vector<SnapshotSegment> parts);

  const std::string folder_;
  Manifest manifest_;
  std::vector<SnapshotSegment> parts_;
};

// Which segments to merge when there are more than `max_segments`: places in
// `num_live`, the live documents of each; at least two. The smallest until
// max_segments remain, and on while the next is at most twice as large as all
// smaller together: a document is merged a logarithmic number of times.
// REQUIRES: num_live.size() > max_segments >= 1.
std::vector<size_t> ChooseMerge(const std::vector<uint32_t>& num_live,
                                size_t max_segments);

// One segment file of all live documents; an empty name and no segment when
// there are none. Holds them in memory: about 3 KB each. Not in index.json yet.
absl::StatusOr<StoredSegment> MergeSegments(
    const std::string& folder, const std::vector<SnapshotSegment>& sources,
    size_t dimension);

// Documents that were not deleted.
uint32_t NumLive(const SnapshotSegment& part);

}  // namespace quaver
