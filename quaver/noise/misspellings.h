// Words as people really misspell them.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"

namespace quaver {

// Right words and their wrong forms, both comparable (text/compare.h) single
// words of at least four letters. Immutable once built.
class Misspellings {
 public:
  Misspellings() = default;

  // A small list of our own: words of titles that many people get wrong.
  static Misspellings Common();

  // Reads rows `wrong<TAB>right`; further columns are ignored, and so are
  // rows of several words, of short words and equal ones. InvalidArgument
  // naming the line when a row has no tab.
  static absl::StatusOr<Misspellings> Load(const std::string& path);

  void Add(std::string_view wrong, std::string_view right);

  // A fifth of the words, by their hash, to judge by; or the others, to learn
  // from.
  Misspellings Part(bool held_out) const;

  // The wrong forms of a comparable word, without repetition; empty if none.
  const std::vector<std::string>& Of(const std::string& word) const;
  bool Has(const std::string& word) const { return !Of(word).empty(); }
  size_t num_words() const { return wrong_.size(); }

 private:
  std::map<std::string, std::vector<std::string>> wrong_;  // by right word
};

}  // namespace quaver
