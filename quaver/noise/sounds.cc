// Misspellings by ear, from a table of letters that sound alike.
#include "quaver/noise/sounds.h"

#include <optional>
#include <vector>

#include "quaver/noise/internal/pick.h"
#include "quaver/text/compare.h"

namespace quaver {
namespace {

enum class Where { kAnywhere, kStart, kInside, kEnd, kWord };

struct Rule {
  std::u32string_view from;
  std::u32string_view to;
  double weight = 1;
  Where where = Where::kAnywhere;
};

// English spelling above all, and what it does to French, German and Spanish
// names. Vowels are by far the most confused, but there are many of them.
constexpr Rule kLetterRules[] = {
    {U"ph", U"f", 3},
    {U"f", U"ph", 1},
    {U"ck", U"k", 3},
    {U"ck", U"c", 1},
    {U"k", U"c", 1.5},
    {U"c", U"k", 1.5},
    {U"k", U"ck", 1, Where::kEnd},
    {U"ce", U"se", 2},
    {U"ci", U"si", 2},
    {U"s", U"c", 0.5},
    {U"s", U"z", 1},
    {U"z", U"s", 1.5},
    {U"sc", U"s", 2},
    {U"sch", U"sh", 2},
    {U"ch", U"sh", 1},
    {U"ch", U"k", 1},
    {U"tch", U"ch", 2},
    {U"dge", U"ge", 2},
    {U"ge", U"je", 0.7},
    {U"j", U"g", 1},
    {U"tion", U"shun", 1.5},
    {U"x", U"ks", 1},
    {U"cks", U"x", 2},
    {U"qu", U"kw", 1},
    {U"q", U"k", 1},
    {U"v", U"w", 0.4},
    {U"w", U"v", 0.3},
    {U"th", U"t", 0.7},
    {U"b", U"p", 0.3},
    {U"d", U"t", 0.3},
    {U"m", U"n", 0.4},
    {U"n", U"m", 0.4},
    {U"ie", U"ei", 4},
    {U"ei", U"ie", 4},
    {U"ee", U"ea", 2.5},
    {U"ea", U"ee", 2.5},
    {U"ea", U"e", 1.5},
    {U"ee", U"i", 1},
    {U"oo", U"u", 1.5},
    {U"u", U"oo", 0.6},
    {U"ou", U"u", 1.5},
    {U"ou", U"ow", 1},
    {U"au", U"o", 1.5},
    {U"ai", U"ay", 1},
    {U"ai", U"a", 1.5},
    {U"eigh", U"ay", 2},
    {U"igh", U"ite", 1, Where::kInside},
    {U"y", U"i", 1.5},
    {U"i", U"y", 0.7},
    {U"y", U"ie", 1, Where::kEnd},
    {U"ey", U"y", 2, Where::kEnd},
    {U"a", U"e", 1},
    {U"a", U"o", 0.5},
    {U"e", U"a", 1},
    {U"e", U"i", 1.2},
    {U"i", U"e", 1.2},
    {U"o", U"a", 0.7},
    {U"o", U"u", 0.7},
    {U"u", U"o", 0.7},
    {U"er", U"ar", 1.2},
    {U"ar", U"er", 1},
    {U"or", U"er", 1.2},
    {U"er", U"or", 1},
    {U"er", U"a", 0.7, Where::kEnd},
    {U"le", U"el", 2, Where::kEnd},
    {U"el", U"le", 2, Where::kEnd},
    {U"re", U"er", 1.5, Where::kEnd},
    {U"ent", U"ant", 2},
    {U"ant", U"ent", 2},
    {U"ance", U"ence", 2},
    {U"ible", U"able", 2},
    {U"gh", U"", 1.5, Where::kInside},
    {U"h", U"", 0.8, Where::kInside},
    {U"wh", U"w", 2, Where::kStart},
    {U"kn", U"n", 2, Where::kStart},
    {U"wr", U"r", 2, Where::kStart},
    {U"ps", U"s", 2, Where::kStart},
    {U"rh", U"r", 2, Where::kStart},
    {U"mb", U"m", 2, Where::kEnd},
    {U"e", U"", 1.5, Where::kEnd},
    {U"ing", U"in", 1, Where::kEnd},
    {U"o", U"0", 0.2},
    {U"i", U"1", 0.1},
    {U"e", U"3", 0.1},
    {U"a", U"4", 0.05},
    {U"s", U"5", 0.05},
    {U"t", U"7", 0.03},
};

constexpr Rule kShorthand[] = {
    {U"you", U"u", 2, Where::kWord},
    {U"your", U"ur", 1, Where::kWord},
    {U"to", U"2", 1, Where::kWord},
    {U"for", U"4", 1, Where::kWord},
    {U"are", U"r", 1, Where::kWord},
    {U"and", U"n", 1, Where::kWord},
    {U"the", U"da", 0.5, Where::kWord},
    {U"love", U"luv", 1, Where::kWord},
    {U"because", U"cuz", 1, Where::kWord},
    {U"with", U"wit", 1, Where::kWord},
    {U"night", U"nite", 1, Where::kWord},
    {U"through", U"thru", 1, Where::kWord},
    {U"one", U"1", 0.5, Where::kWord},
    {U"two", U"2", 1, Where::kWord},
    {U"four", U"4", 1, Where::kWord},
    {U"see", U"c", 0.3, Where::kWord},
};

constexpr std::u32string_view kVowels = U"aeiou";
constexpr std::u32string_view kDoubling = U"bcdfglmnprst";

bool IsOneOf(char32_t c, std::u32string_view set) {
  return set.find(c) != std::u32string_view::npos;
}

bool StartsWord(const std::u32string& text, size_t i) {
  return i == 0 || !IsWordCharacter(text[i - 1]);
}

bool EndsWord(const std::u32string& text, size_t end) {
  return end == text.size() || !IsWordCharacter(text[end]);
}

bool Fits(const Rule& rule, const std::u32string& text, size_t i) {
  if (text.compare(i, rule.from.size(), rule.from) != 0) return false;
  const bool start = StartsWord(text, i);
  const bool end = EndsWord(text, i + rule.from.size());
  switch (rule.where) {
    case Where::kAnywhere:
      return true;
    case Where::kStart:
      return start && !end;
    case Where::kInside:
      return !start;
    case Where::kEnd:
      return end && !start;
    case Where::kWord:
      return start && end;
  }
  return false;
}

// Applies one of the rules at one of the places where it fits.
std::u32string Apply(std::span<const Rule> rules, const std::u32string& text,
                     double first_letter, Random& random) {
  std::vector<std::pair<const Rule*, size_t>> choices;
  std::vector<double> weights;
  for (size_t i = 0; i < text.size(); ++i) {
    const double at_start = StartsWord(text, i) ? first_letter : 1;
    for (const Rule& rule : rules) {
      if (!Fits(rule, text, i)) continue;
      choices.emplace_back(&rule, i);
      weights.push_back(rule.weight * at_start);
    }
  }
  const auto choice = PickByWeight(weights, random);
  if (!choice) return text;
  const auto& [rule, at] = choices[*choice];
  return std::u32string(text).replace(at, rule->from.size(), rule->to);
}

std::u32string Undouble(const std::u32string& text, Random& random) {
  std::vector<double> weights(text.size());
  for (size_t i = 1; i < text.size(); ++i) {
    weights[i] = text[i] == text[i - 1] && IsWordCharacter(text[i]) ? 1 : 0;
  }
  const auto at = PickByWeight(weights, random);
  return at ? std::u32string(text).erase(*at, 1) : text;
}

std::u32string Redouble(const std::u32string& text, Random& random) {
  std::vector<double> weights(text.size());
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    const bool between = IsOneOf(text[i - 1], kVowels) &&
                         IsOneOf(text[i], kDoubling) &&
                         IsOneOf(text[i + 1], kVowels);
    weights[i] = between ? 1 : 0;
  }
  const auto at = PickByWeight(weights, random);
  return at ? std::u32string(text).insert(*at, 1, text[*at]) : text;
}

}  // namespace

std::u32string OneSound(const std::u32string& text, const NoiseConfig& config,
                        Random& random) {
  const SoundRates& rates = config.sounds;
  const double weights[] = {rates.letters, rates.undouble, rates.redouble,
                            rates.shorthand};
  const auto kind = PickByWeight(weights, random);
  if (!kind) return text;
  if (*kind == 1) return Undouble(text, random);
  if (*kind == 2) return Redouble(text, random);
  if (*kind == 3) return Apply(kShorthand, text, 1, random);
  return Apply(kLetterRules, text, config.first_letter, random);
}

}  // namespace quaver
