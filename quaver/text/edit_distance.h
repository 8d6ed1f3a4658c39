// Edit distances between words and names, bit-parallel.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quaver {

// A pattern prepared for many comparisons of code points; bytes where they are
// ASCII. About 1 KiB; immutable, thread-safe.
class EditPattern {
 public:
  explicit EditPattern(std::string_view utf8);

  // Optimal string alignment: insert, delete, substitute, swap neighbours, no
  // substring edited twice (Hyyrö 2003, "A Bit-Vector Algorithm for Computing
  // Levenshtein and Damerau Edit Distances"). O(length of the longer) while
  // either side has at most 64 characters, O(product) above: bound the lengths
  // of what strangers send.
  int Osa(std::string_view utf8) const;
  // Insertions and deletions alone: |a| + |b| - 2 * longest common
  // subsequence (Hyyrö 2004). Same cost.
  int Indel(std::string_view utf8) const;

  int length() const { return length_; }  // in code points

 private:
  void AddMask(char32_t code_point, uint64_t bit);
  uint64_t OtherMask(char32_t code_point) const;
  // Calls step(mask) for each code point; returns their number.
  template <typename Step>
  int ForEachMask(std::string_view utf8, const Step& step) const;

  int length_;
  std::string utf8_;  // only when length_ > 64; the masks are empty then
  // Bit i is set where character i of the pattern is this one.
  std::array<uint64_t, 128> ascii_masks_;
  std::vector<std::pair<char32_t, uint64_t>> other_masks_;  // sorted
};

// 1 - Osa / max(length, length), in [0, 1]; two empty texts are equal.
double OsaSimilarity(const EditPattern& pattern, std::string_view utf8);
// 1 - Indel / (length + length), in [0, 1] (RapidFuzz's ratio / 100).
double IndelSimilarity(const EditPattern& pattern, std::string_view utf8);

// Code points of a text. REQUIRES here and in the similarities: valid UTF-8.
int CodePointCount(std::string_view utf8);

}  // namespace quaver
