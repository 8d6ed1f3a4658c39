// What a person insists on in a query.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quaver {

// Words in quotes are meant as they stand. Words with signs between letters or
// brackets behind them ("Ke$ha", "P!nk", "Sunn O)))"), and words in capitals
// that hardly have a vowel or stand beside small letters ("CHVRCHES", "MGMT"),
// are written so on purpose: another reading may be asked about, not applied.
class Insistence {
 public:
  explicit Insistence(std::string_view raw);

  // Whether a word stands in quotes.
  bool IsQuoted(std::string_view word) const;
  // Has all that stands in quotes.
  bool Allows(std::string_view text) const;
  // Lacks a word that is written so on purpose.
  bool Doubts(std::string_view text) const;

 private:
  std::vector<std::string> quoted_;    // normalised phrases
  std::vector<std::string> stylised_;  // normalised words
};

}  // namespace quaver
