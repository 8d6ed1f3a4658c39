// Fitting confusions to misspelled words.
#include <algorithm>
#include <map>
#include <optional>

#include "quaver/noise/confusions.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr char32_t kEdge = U'_';
constexpr size_t kMaxLetters = 3;  // that differ at one place

// Letters that differ: right[begin, end) was written as `wrong`.
struct Edit {
  const std::u32string* right;  // with edges
  size_t begin = 0, end = 0;
  std::u32string wrong;
};

using Rule = std::pair<std::u32string, std::u32string>;

// The edit as a rule with a letter of context on the sides asked for. An
// insertion needs one, so that there is a place to find.
std::optional<Rule> RuleOf(const Edit& edit, bool left, bool right) {
  const std::u32string& word = *edit.right;
  std::u32string before = left ? word.substr(edit.begin - 1, 1) : U"";
  std::u32string after = right ? word.substr(edit.end, 1) : U"";
  std::u32string from =
      before + word.substr(edit.begin, edit.end - edit.begin) + after;
  std::u32string to = before + edit.wrong + after;
  const bool is_edge = from == std::u32string(1, kEdge);
  if (from.empty() || to.empty() || is_edge) return std::nullopt;
  return Rule{std::move(from), std::move(to)};
}

// Of a place's contexts, the most specific first.
constexpr std::pair<bool, bool> kContexts[] = {
    {true, true}, {true, false}, {false, true}, {false, false}};

// Differing stretches of an alignment with the fewest edits (a swap of two
// neighbours counts as one place, since both letters differ). Empty when more
// than half of the letters do.
class Aligner {
 public:
  Aligner(const std::u32string& right, const std::u32string& wrong)
      : right_(right), wrong_(wrong), width_(wrong.size() + 1) {
    cost_.resize((right.size() + 1) * width_);
    for (size_t i = 0; i <= right.size(); ++i) {
      for (size_t j = 0; j <= wrong.size(); ++j) At(i, j) = Least(i, j);
    }
  }

  std::vector<Edit> Edits() const {
    std::vector<Edit> edits;
    size_t i = right_.size(), j = wrong_.size();
    if (2 * static_cast<size_t>(At(i, j)) > right_.size()) return edits;
    while (i > 0 || j > 0) {
      if (Matches(i, j) && At(i, j) == At(i - 1, j - 1)) {
        --i, --j;
        continue;
      }
      const size_t end = i, wrong_end = j;
      while ((i > 0 || j > 0) &&
             !(Matches(i, j) && At(i, j) == At(i - 1, j - 1))) {
        Step(&i, &j);
      }
      edits.push_back({&right_, i, end, wrong_.substr(j, wrong_end - j)});
    }
    return edits;
  }

 private:
  int& At(size_t i, size_t j) { return cost_[i * width_ + j]; }
  int At(size_t i, size_t j) const { return cost_[i * width_ + j]; }
  bool Matches(size_t i, size_t j) const {
    return i > 0 && j > 0 && right_[i - 1] == wrong_[j - 1];
  }
  bool Swaps(size_t i, size_t j) const {
    return i > 1 && j > 1 && right_[i - 1] == wrong_[j - 2] &&
           right_[i - 2] == wrong_[j - 1] && right_[i - 1] != right_[i - 2];
  }
  int Least(size_t i, size_t j) const {
    if (i == 0 || j == 0) return static_cast<int>(i + j);
    int least = At(i - 1, j - 1) + (Matches(i, j) ? 0 : 1);
    least = std::min({least, At(i - 1, j) + 1, At(i, j - 1) + 1});
    if (Swaps(i, j)) least = std::min(least, At(i - 2, j - 2) + 1);
    return least;
  }
  void Step(size_t* i, size_t* j) const {
    if (Swaps(*i, *j) && At(*i, *j) == At(*i - 2, *j - 2) + 1) {
      *i -= 2, *j -= 2;
    } else if (*i > 0 && *j > 0 && At(*i, *j) == At(*i - 1, *j - 1) + 1) {
      --*i, --*j;
    } else if (*i > 0 && At(*i, *j) == At(*i - 1, *j) + 1) {
      --*i;
    } else {
      --*j;
    }
  }

  const std::u32string& right_;
  const std::u32string& wrong_;
  size_t width_;
  std::vector<int> cost_;  // of the first i and j letters
};

// Occurrences of every group of letters that a rule may begin from.
std::map<std::u32string, int64_t> CountGroups(
    const std::vector<std::u32string>& words) {
  std::map<std::u32string, int64_t> counts;
  for (const std::u32string& word : words) {
    for (size_t i = 0; i < word.size(); ++i) {
      for (size_t n = 1; n <= kMaxLetters + 2 && i + n <= word.size(); ++n) {
        ++counts[word.substr(i, n)];
      }
    }
  }
  return counts;
}

std::u32string Edged(const std::string& word) {
  return kEdge + ToCodePoints(word) + kEdge;
}

}  // namespace

ConfusionFit FitConfusions(std::span<const Misspelling> pairs, int64_t least,
                           size_t max_rules) {
  std::vector<std::u32string> rights, wrongs;
  for (const Misspelling& pair : pairs) {
    rights.push_back(Edged(pair.right));
    wrongs.push_back(Edged(pair.wrong));
  }
  std::vector<Edit> edits;
  for (size_t i = 0; i < rights.size(); ++i) {
    for (Edit& edit : Aligner(rights[i], wrongs[i]).Edits()) {
      edits.push_back(std::move(edit));
    }
  }
  std::map<Rule, int64_t> seen;
  const auto is_short = [](const Edit& edit) {
    return edit.end - edit.begin <= kMaxLetters &&
           edit.wrong.size() <= kMaxLetters;
  };
  for (const Edit& edit : edits) {
    if (!is_short(edit)) continue;
    for (const auto& [left, right] : kContexts) {
      if (const auto rule = RuleOf(edit, left, right)) ++seen[*rule];
    }
  }
  std::map<Rule, int64_t> used;
  ConfusionFit fit = {.edits = static_cast<int64_t>(edits.size())};
  for (const Edit& edit : edits) {
    if (!is_short(edit)) continue;
    for (const auto& [left, right] : kContexts) {
      const auto rule = RuleOf(edit, left, right);
      if (!rule || seen[*rule] < least) continue;
      ++used[*rule];
      break;
    }
  }
  std::vector<std::pair<int64_t, Rule>> ranked;
  for (const auto& [rule, count] : used) ranked.emplace_back(-count, rule);
  std::sort(ranked.begin(), ranked.end());
  if (ranked.size() > max_rules) ranked.resize(max_rules);
  const auto groups = CountGroups(rights);
  for (const auto& [count, rule] : ranked) {
    fit.explained -= count;
    fit.rules.push_back({rule.first, rule.second,
                         static_cast<double>(-count) /
                             static_cast<double>(groups.at(rule.first))});
  }
  return fit;
}

}  // namespace quaver
