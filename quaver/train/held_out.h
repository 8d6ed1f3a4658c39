// Queries that training is judged by: sets of every kind, of other numbers than
// the training pairs.
#pragma once

#include <string>
#include <vector>

#include "quaver/noise/query_set.h"
#include "quaver/train/loader.h"

namespace quaver {

struct HeldOutSet {
  std::string name;
  std::vector<Pair> pairs;  // comparable
  Batch batch;
};

// The sets that `texts` yield, of at most `rows` rows; `clean` and one of
// mistakes from training noise where they yield none, if that makes any.
std::vector<HeldOutSet> MakeHeldOutSets(const SearchTexts& texts,
                                        const Noise& noise,
                                        const PairMaker& maker,
                                        const PairEncoder& encoder,
                                        int64_t rows, uint64_t seed);

// What a model does to the sets.
struct Figures {
  std::vector<std::pair<std::string, double>> exact_fix;  // by set, shares
  double loss = 0;  // nats a token of the targets

  // Of the set `clean`.
  double false_corrections() const;
  // What a better model has more of: the mean exact fix of sets with mistakes
  // less twice the false corrections.
  double score() const;
};

}  // namespace quaver
