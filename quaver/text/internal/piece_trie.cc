// The edges' hash table.
#include "quaver/text/internal/piece_trie.h"

#include <bit>

namespace quaver {

PieceTrie::PieceTrie(const std::vector<Piece>& pieces) : ids_(2, -1) {
  size_t most_edges = 1;
  for (const Piece& piece : pieces) most_edges += piece.text.size();
  const int bits = std::bit_width(2 * most_edges);
  shift_ = 64 - bits;
  edges_.resize(size_t{1} << bits);
  for (const Piece& piece : pieces) {
    uint32_t node = piece.continues ? kNextRoot : kFirstRoot;
    for (const char byte : piece.text) {
      node = AddChild(node, static_cast<uint8_t>(byte));
    }
    ids_[node] = piece.id;
  }
}

// The slot that holds `key`, or the empty one where it belongs.
inline size_t PieceTrie::Slot(uint32_t key) const {
  size_t slot = (key * 0x9E3779B97F4A7C15ull) >> shift_;
  while (edges_[slot].child != 0 && edges_[slot].key != key) {
    slot = (slot + 1) & (edges_.size() - 1);
  }
  return slot;
}

inline uint32_t PieceTrie::Child(uint32_t node, uint8_t byte) const {
  return edges_[Slot(node << 8 | byte)].child;
}

uint32_t PieceTrie::AddChild(uint32_t node, uint8_t byte) {
  Edge& edge = edges_[Slot(node << 8 | byte)];
  if (edge.child == 0) {
    edge = {node << 8 | byte, static_cast<uint32_t>(ids_.size())};
    ids_.push_back(-1);
  }
  return edge.child;
}

bool PieceTrie::Segment(std::string_view word,
                        std::vector<int32_t>* ids) const {
  const size_t size_before = ids->size();
  for (size_t begin = 0; begin < word.size();) {
    uint32_t node = begin == 0 ? kFirstRoot : kNextRoot;
    int32_t best = -1;
    size_t best_end = begin;
    for (size_t i = begin; i < word.size(); ++i) {
      node = Child(node, static_cast<uint8_t>(word[i]));
      if (node == 0) break;
      if (ids_[node] >= 0) {
        best = ids_[node];
        best_end = i + 1;
      }
    }
    if (best < 0) {
      ids->resize(size_before);
      return false;
    }
    ids->push_back(best);
    begin = best_end;
  }
  return true;
}

}  // namespace quaver
