// Drawing confusions by their rates.
#include "quaver/noise/confusions.h"

#include <algorithm>
#include <charconv>

#include "quaver/base/check.h"
#include "quaver/noise/internal/confusion_rates.h"
#include "quaver/noise/internal/pick.h"
#include "quaver/text/compare.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

constexpr char32_t kEdge = U'_';

// The text with an edge before and after each word: spaces are edges, too.
std::u32string WithEdges(const std::u32string& text) {
  std::u32string result(1, kEdge);
  for (const char32_t c : text) {
    result += IsWordCharacter(c) && c != kEdge ? c : kEdge;
  }
  return result += kEdge;
}

// Whether edges stand at the ends alone, and stay.
bool HasSameEdges(const Confusion& rule) {
  const auto count = [](const std::u32string& s) {
    return std::count(s.begin(), s.end(), kEdge);
  };
  const bool begins = rule.from.front() == kEdge;
  const bool ends = rule.from.back() == kEdge;
  return rule.from != std::u32string(1, kEdge) &&
         count(rule.from) == begins + ends && count(rule.to) == begins + ends &&
         (!begins || rule.to.front() == kEdge) &&
         (!ends || rule.to.back() == kEdge);
}

}  // namespace

ConfusionTable::ConfusionTable(std::vector<Confusion> rules)
    : rules_(std::move(rules)) {
  for (uint32_t i = 0; i < rules_.size(); ++i) {
    by_first_[rules_[i].from.at(0)].push_back(i);
  }
}

const ConfusionTable& ConfusionTable::Fitted() {
  static const ConfusionTable& table = *[] {
    auto rules = ParseConfusions(kConfusionRates);
    QUAVER_CHECK(rules.ok());
    return new ConfusionTable(*std::move(rules));
  }();
  return table;
}

std::u32string ConfusionTable::Apply(const std::u32string& text,
                                     Random& random) const {
  const std::u32string edged = WithEdges(text);
  std::vector<std::pair<uint32_t, size_t>> choices;  // rule, place
  std::vector<double> weights;
  for (size_t i = 0; i < edged.size(); ++i) {
    const auto rules = by_first_.find(edged[i]);
    if (rules == by_first_.end()) continue;
    for (const uint32_t rule : rules->second) {
      const Confusion& confusion = rules_[rule];
      if (edged.compare(i, confusion.from.size(), confusion.from) != 0) {
        continue;
      }
      choices.emplace_back(rule, i);
      weights.push_back(confusion.rate);
    }
  }
  const auto choice = PickByWeight(weights, random);
  if (!choice) return text;
  std::u32string_view from = rules_[choices[*choice].first].from;
  std::u32string_view to = rules_[choices[*choice].first].to;
  size_t at = choices[*choice].second;
  // Edges stay what they were: a space, a sign, an end of the text.
  if (from.front() == kEdge) from.remove_prefix(1), to.remove_prefix(1), ++at;
  if (from.back() == kEdge) from.remove_suffix(1), to.remove_suffix(1);
  return std::u32string(text).replace(at - 1, from.size(), to);
}

std::string FormatConfusions(std::span<const Confusion> rules) {
  constexpr size_t kMaxColumns = 79;
  std::string text, line;
  for (const Confusion& rule : rules) {
    const std::string next = fmt::format("{} {} {:.3g}", ToUtf8(rule.from),
                                         ToUtf8(rule.to), rule.rate);
    if (!line.empty() && line.size() + 2 + next.size() > kMaxColumns) {
      text += line + "\n";
      line.clear();
    }
    line += line.empty() ? next : "  " + next;
  }
  return line.empty() ? text : text + line + "\n";
}

absl::StatusOr<std::vector<Confusion>> ParseConfusions(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '\n', ' ');
  const auto words = SplitWords(spaced);
  std::vector<Confusion> rules;
  for (size_t i = 0; i < words.size(); i += 3) {
    Confusion rule;
    bool ok = i + 2 < words.size();
    if (ok) {
      rule.from = ToCodePoints(words[i]);
      rule.to = ToCodePoints(words[i + 1]);
      const std::string_view rate = words[i + 2];
      const auto [stop, error] =
          std::from_chars(rate.data(), rate.data() + rate.size(), rule.rate);
      ok = error == std::errc() && stop == rate.data() + rate.size() &&
           rule.rate > 0 && HasSameEdges(rule);
    }
    if (!ok) {
      return absl::InvalidArgumentError(fmt::format(
          "rule {} is not two groups of letters and a rate", i / 3 + 1));
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace quaver
