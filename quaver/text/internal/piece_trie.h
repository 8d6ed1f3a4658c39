// Greedy longest-match segmentation of a word into pieces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quaver {

// Two tries over bytes, for pieces that begin a word and pieces that continue
// one, with their edges in one hash table. Immutable.
class PieceTrie {
 public:
  struct Piece {
    std::string text;  // without the prefix of a continuation; not empty
    bool continues;
    int32_t id;  // >= 0; of equal pieces the last counts
  };
  // REQUIRES: at most 2^24 - 2 bytes of text.
  explicit PieceTrie(const std::vector<Piece>& pieces);

  // Appends the ids of the longest pieces from left to right; false, with
  // nothing appended, where there is none. O(bytes * longest piece) at worst.
  bool Segment(std::string_view word, std::vector<int32_t>* ids) const;

 private:
  struct Edge {
    uint32_t key = 0;    // node << 8 | byte
    uint32_t child = 0;  // 0 is none: the first root is nobody's child
  };
  static constexpr uint32_t kFirstRoot = 0, kNextRoot = 1;

  size_t Slot(uint32_t key) const;
  uint32_t Child(uint32_t node, uint8_t byte) const;
  uint32_t AddChild(uint32_t node, uint8_t byte);

  int shift_ = 0;
  std::vector<Edge> edges_;   // open addressing, at most half full
  std::vector<int32_t> ids_;  // [nodes], -1 where no piece ends
};

}  // namespace quaver
