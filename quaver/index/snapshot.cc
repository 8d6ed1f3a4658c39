// See snapshot.h.
#include "quaver/index/snapshot.h"

namespace quaver {

std::optional<std::pair<size_t, uint32_t>> Snapshot::Find(
    std::string_view id) const {
  for (size_t i = segments.size(); i-- > 0;) {
    const auto doc = segments[i].segment->Find(id);
    if (doc && segments[i].Alive(*doc)) return std::pair(i, *doc);
  }
  return std::nullopt;
}

uint64_t Snapshot::num_live() const {
  uint64_t count = 0;
  for (const SnapshotSegment& part : segments) {
    count += part.segment->num_documents() -
             (part.deleted ? part.deleted->count() : 0);
  }
  return count;
}

}  // namespace quaver
