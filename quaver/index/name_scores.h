// How alike every name of a segment is to a query, by n-grams.
//
//   NameScores scores(lexical, query_grams, {}, arrays);
//   for (uint32_t name : scores.Best(1000)) {
//     cosine = scores.sum(name) / (scores.norm() * lexical.gram_norm(name));
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quaver/index/grams.h"
#include "quaver/index/lexical.h"

namespace quaver {

// Memory reused between calls. One a thread.
struct NameScoreArrays {
  std::vector<uint16_t> units;   // [names, padded]
  std::vector<uint16_t> values;  // [names, padded]
  std::vector<uint32_t> names;
};

// An n-gram weighs its GramIdf, so a name's sum is the product of its and the
// query's vectors of weights. Every name is scored, exactly but for rounding to
// 1/60,000 of the query's whole weight: lists of rare n-grams are added one
// name at a time, bitmaps of frequent ones all in one pass. Costs 0.3 ms for
// 300,000 names. Refers to its arguments.
class NameScores {
 public:
  // `guesses` are n-grams of what the query may have meant: they count in the
  // sums, not in the query's length. None may be among `grams`.
  NameScores(const LexicalIndex& lexical, std::span<const Gram> grams,
             std::span<const Gram> guesses, NameScoreArrays& arrays);

  // Length of the query's vector; 0 when it has no n-gram.
  float norm() const { return norm_; }
  float sum(uint32_t name) const {
    return static_cast<float>(arrays_.units[name]) * unit_;
  }
  // About the `count` best names by sum / sqrt(norm of the name), which is fair
  // to short names (as the cosine is) and to long ones (as the sum is), rising;
  // none below kLeastShare of the best. Valid until the next use of `arrays`.
  static constexpr float kLeastShare = 0.25f;
  std::span<const uint32_t> Best(size_t count);

 private:
  struct WeighedGram {
    uint32_t gram;
    float weight;
  };
  // Appends those that the segment has; returns the sum of all squared weights.
  float Weigh(std::span<const Gram> grams,
              std::vector<WeighedGram>& known) const;
  void AddUp(std::span<const WeighedGram> grams);

  const LexicalIndex& lexical_;
  NameScoreArrays& arrays_;
  float norm_ = 0;
  float unit_ = 0;  // of arrays_.units
};

}  // namespace quaver
