// How writers misspell: which letters they write for which, how often.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "quaver/base/hash.h"
#include "quaver/base/status.h"

namespace quaver {

// `to` is written for `from`, with the probability `rate` wherever `from`
// stands. Letters on both sides may be the same, as a rule's context; '_' at an
// end is where a word begins or ends.
struct Confusion {
  std::u32string from;
  std::u32string to;
  double rate = 0;

  bool operator==(const Confusion&) const = default;
};

// Immutable, thread-safe.
class ConfusionTable {
 public:
  explicit ConfusionTable(std::vector<Confusion> rules);
  // The table that was fitted to human misspellings (confusion_rates.cc).
  static const ConfusionTable& Fitted();

  // One confusion, drawn by the rates of all that fit anywhere in the text;
  // the text itself when none does. O(letters x rules of a letter).
  std::u32string Apply(const std::u32string& text, Random& random) const;

  std::span<const Confusion> rules() const { return rules_; }

 private:
  std::vector<Confusion> rules_;
  std::unordered_map<char32_t, std::vector<uint32_t>> by_first_;
};

// A word as somebody wrote it, and right.
struct Misspelling {
  std::string wrong;
  std::string right;
};

struct ConfusionFit {
  std::vector<Confusion> rules;  // the most used first
  int64_t edits = 0;             // places where the words differ
  int64_t explained = 0;         // of them, those that a rule gives
};

// Fits rules to misspellings of comparable single words: the letters that
// differ with as much context (at most a letter on each side) as `least`
// examples support; a rule's rate is its examples over the occurrences of
// `from` in the right words (the channel model of Brill and Moore, 2000). At
// most `max_rules`. Pairs that differ in more than half of their letters are
// left out. O(letters).
ConfusionFit FitConfusions(std::span<const Misspelling> pairs, int64_t least,
                           size_t max_rules);

// Rules as words "from to rate", several a line, and read again:
// InvalidArgument naming the rule's number.
std::string FormatConfusions(std::span<const Confusion> rules);
absl::StatusOr<std::vector<Confusion>> ParseConfusions(std::string_view text);

}  // namespace quaver
