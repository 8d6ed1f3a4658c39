// Edit distances between words and names, bit-parallel.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quaver {

// A pattern prepared for many comparisons. Works on bytes when both sides are
// ASCII and on code points otherwise. Cheap to keep, immutable, thread-safe.
class EditPattern {
 public:
  explicit EditPattern(std::string_view utf8);

  // Optimal string alignment: insert, delete, substitute, swap neighbours, no
  // substring edited twice (Hyyrö 2003, "A Bit-Vector Algorithm for Computing
  // Levenshtein and Damerau Edit Distances"). O(length of text) up to 64
  // characters of pattern, plain dynamic programming above.
  int Osa(std::string_view utf8) const;
  // Insertions and deletions alone: |a| + |b| - 2 * longest common
  // subsequence (Hyyrö 2004). Same cost.
  int Indel(std::string_view utf8) const;

  int length() const { return length_; }  // in code points

 private:
  uint64_t Mask(uint32_t code_point) const;
  std::u32string text_;
  int length_;
  bool ascii_;
  std::array<uint64_t, 128> ascii_masks_;
  std::vector<std::pair<uint32_t, uint64_t>> other_masks_;
};

// 1 - Osa / max(length, length), in [0, 1]; two empty texts are equal.
double OsaSimilarity(const EditPattern& pattern, std::string_view utf8);
// 1 - Indel / (length + length), in [0, 1] (RapidFuzz's ratio / 100).
double IndelSimilarity(const EditPattern& pattern, std::string_view utf8);

// Code points of a valid UTF-8 text.
int CodePointCount(std::string_view utf8);

}  // namespace quaver
