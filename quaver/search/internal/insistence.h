// What a person insists on in a query.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quaver/index/snapshot.h"

namespace quaver {

// What is meant as it stands: words in quotes; names of the catalogue that are
// typed with their signs ("Ke$ha", "alt-J", "clipping."), in any case; a word
// with brackets behind it that nothing opens, and the word before it ("Sunn
// O)))").
//
// Other words with signs between letters ("P!nk", of which the catalogue has
// nothing), a full stop behind the only word ("fun."), and words in capitals
// that hardly have a vowel, have a digit or stand beside small letters
// ("CHVRCHES", "6LACK") are written so on purpose: another reading may be asked
// about, not applied.
class Insistence {
 public:
  // O(words * log names) where there are signs, else O(bytes).
  Insistence(std::string_view raw, const Snapshot& snapshot);

  // Whether a word is part of what is meant as it stands.
  bool IsFixed(std::string_view word) const;
  // Has all that is meant as it stands.
  bool Allows(std::string_view text) const;
  // Lacks a word that is written so on purpose.
  bool Doubts(std::string_view text) const;

 private:
  void FixQuoted(std::string_view raw);
  void FixNames(const std::vector<std::string_view>& words,
                const Snapshot& snapshot);
  void FixBracketed(const std::vector<std::string_view>& words);
  void Fix(std::string_view phrase);

  std::string normalized_;             // the query
  std::vector<std::string> fixed_;     // normalised phrases
  std::vector<std::string> stylised_;  // normalised words
};

}  // namespace quaver
