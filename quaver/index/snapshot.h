// The index at one moment: immutable segments and what was deleted from them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "quaver/index/segment.h"

namespace quaver {

// One bit a document; set when it was deleted or replaced.
class Tombstones {
 public:
  explicit Tombstones(uint32_t num_documents)
      : words_((num_documents + 63) / 64) {}
  bool Has(uint32_t doc) const {
    return ((words_[doc / 64] >> (doc % 64)) & 1) != 0;
  }
  // Returns whether it was clear before.
  bool Set(uint32_t doc) {
    if (Has(doc)) return false;
    words_[doc / 64] |= uint64_t{1} << (doc % 64);
    ++count_;
    return true;
  }
  uint32_t count() const { return count_; }

 private:
  std::vector<uint64_t> words_;
  uint32_t count_ = 0;
};

struct SnapshotSegment {
  std::shared_ptr<const Segment> segment;
  std::shared_ptr<const Tombstones> deleted;  // null: none
  bool Alive(uint32_t doc) const { return !deleted || !deleted->Has(doc); }
};

// Immutable once published; readers hold it by shared_ptr. Oldest segment
// first; the last may be the in-memory delta. An id is alive in at most one.
struct Snapshot {
  uint64_t sequence = 0;  // of the catalogue: all changes up to it are in
  std::vector<SnapshotSegment> segments;

  // The live document of an id: (segment, document).
  std::optional<std::pair<size_t, uint32_t>> Find(std::string_view id) const;
  uint64_t num_live() const;
};

}  // namespace quaver
