// Training pairs of a spell corrector: what is typed, and what was meant.
//
//   ASSIGN_OR_RETURN(auto maker, PairMaker::Create(texts, noise, {}));
//   Pair pair = maker->Make(17);  // {"bohemain rapsody", "bohemian rhapsody"}
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/noise/noise.h"
#include "quaver/noise/search_texts.h"

namespace quaver {

struct PairConfig {
  uint64_t seed = 1;
  // Shares without a mistake: of whole names, and of all other texts, which
  // nobody can know to be right and are left as they are too readily.
  double clean = 0.45;
  double clean_part = 0.45;
  double broad = 0.3;       // share of descriptions and tags among all pairs
  double prefix = 0.15;     // share of names that stop inside the last word
  double filler = 0.06;     // share of names with "lyrics", "live", ...
  double lost_word = 0.04;  // share of names without one of their stop words
  double hard_negative = 0.04;  // rare names a letter from better known ones
  // The track drawn is that of rank N * u^bias, u uniform.
  double popularity_bias = 1.7;

  bool operator==(const PairConfig&) const = default;
};

// InvalidArgument naming the share that is none.
absl::Status CheckPairConfig(const PairConfig& config);

// Both comparable texts (text/compare.h) of at least one letter; equal when
// nothing is to be mended. Where a query stops inside a word or leaves words
// out, so does what was meant: mended, not completed.
struct Pair {
  std::string typed;
  std::string meant;

  bool operator==(const Pair&) const = default;
};

// Immutable, thread-safe.
class PairMaker {
 public:
  // Notes every name, and those a letter apart. InvalidArgument for shares that
  // are none, FailedPrecondition for texts without any letter. `noise` must
  // outlive it.
  static absl::StatusOr<std::unique_ptr<const PairMaker>> Create(
      const SearchTexts& texts, const Noise& noise, const PairConfig& config);
  // Gives these pairs in their order, over and over; a number's is that of the
  // remainder. FailedPrecondition for none.
  static absl::StatusOr<std::unique_ptr<const PairMaker>> FromPairs(
      std::vector<Pair> pairs);
  ~PairMaker();

  // The pair of a number: equal for equal texts, configuration and number,
  // whichever thread asks and in any order.
  Pair Make(uint64_t number) const;

  size_t num_hard_negatives() const;

 private:
  struct Impl;
  explicit PairMaker(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace quaver
