// A hash table for the features of names.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace quaver {

// Terms to places: open addressing, as a search asks some thousand times.
class PlaceMap {
 public:
  // The term's place; `place` when it is new.
  uint32_t FindOrAdd(uint32_t term, uint32_t place) {
    if (2 * (size_ + 1) > slots_.size()) Grow();
    Slot& slot = Find(term);
    if (slot.term == term) return slot.place;
    slot = {term, place};
    ++size_;
    return place;
  }

 private:
  static constexpr uint32_t kNoTerm = UINT32_MAX;
  struct Slot {
    uint32_t term = kNoTerm;
    uint32_t place = 0;
  };

  // Its slot, or the one that it would take.
  Slot& Find(uint32_t term) {
    const size_t mask = slots_.size() - 1;
    size_t at = (term * 0x9E3779B1u) >> 16 & mask;
    while (slots_[at].term != term && slots_[at].term != kNoTerm) {
      at = (at + 1) & mask;
    }
    return slots_[at];
  }
  void Grow() {
    std::vector<Slot> old(std::max<size_t>(1024, 2 * slots_.size()));
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.term != kNoTerm) Find(slot.term) = slot;
    }
  }

  size_t size_ = 0;
  std::vector<Slot> slots_;  // a power of two
};

}  // namespace quaver
