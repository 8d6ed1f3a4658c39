// Mistakes: slips, sounds and real misspellings, one or several.
#include "quaver/noise/noise.h"

#include <utility>
#include <vector>

#include "quaver/noise/confusions.h"
#include "quaver/noise/internal/pick.h"
#include "quaver/noise/slips.h"
#include "quaver/noise/sounds.h"
#include "quaver/text/compare.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

// A mistake that leaves the comparable form as it was is drawn again.
constexpr int kAttempts = 24;

constexpr std::string_view kFillers[] = {"lyrics", "live",           "song",
                                         "video",  "official video", "album"};

bool HasAccents(char32_t c) {
  return (c >= 0xC0 && c < 0x590) || (c >= 0x1E00 && c < 0x2000);
}

bool IsApostrophe(char32_t c) { return c == U'\'' || c == U'\u2019'; }

// Letters that only their accent tells apart.
constexpr std::u32string_view kAccented[] = {U"àáâäãå", U"èéêë", U"ìíîï",
                                             U"òóôöõ",  U"ùúûü", U"ýÿ"};

// At `rate`, one of the text's accents as another one.
std::string WithWrongAccent(std::string_view text, double rate,
                            Random& random) {
  std::u32string letters = ToCodePoints(text);
  std::vector<std::pair<size_t, std::u32string_view>> places;
  for (size_t i = 0; i < letters.size(); ++i) {
    for (const std::u32string_view set : kAccented) {
      if (set.find(letters[i]) != set.npos) places.emplace_back(i, set);
    }
  }
  if (places.empty() || !random.Chance(rate)) return std::string(text);
  const auto& [at, set] = PickOne(places, random);
  letters[at] = PickOne(set, random);
  return ToUtf8(letters);
}

// Words of punctuation alone go; what stays is letters, single spaces and, if
// `keep_apostrophes`, those inside words.
std::u32string LettersAndSpaces(const std::u32string& text,
                                bool keep_apostrophes) {
  std::u32string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (IsApostrophe(c) && !keep_apostrophes) continue;
    const bool inside = i > 0 && i + 1 < text.size() &&
                        IsWordCharacter(text[i - 1]) &&
                        IsWordCharacter(text[i + 1]);
    if (IsWordCharacter(c) || HasAccents(c) || (IsApostrophe(c) && inside)) {
      result += c;
    } else if (!result.empty() && result.back() != U' ') {
      result += U' ';
    }
  }
  if (!result.empty() && result.back() == U' ') result.pop_back();
  return result;
}

}  // namespace

Noise::Noise(NoiseConfig config, Misspellings misspellings)
    : config_(config), misspellings_(std::move(misspellings)) {}

std::string Noise::Slip(std::string_view text, Random& random) const {
  return ToUtf8(OneSlip(ToCodePoints(text), config_, random));
}

std::string Noise::Sound(std::string_view text, Random& random) const {
  return ToUtf8(OneSound(ToCodePoints(text), config_, random));
}

std::string Noise::Misspell(std::string_view text, Random& random) const {
  struct Word {
    size_t begin;
    size_t size;
    const std::vector<std::string>* wrong;
  };
  std::vector<Word> words;
  for (const std::string_view word : SplitWords(text)) {
    const auto& wrong = misspellings_.Of(ComparableText(word));
    const auto begin = static_cast<size_t>(word.data() - text.data());
    if (!wrong.empty()) words.push_back({begin, word.size(), &wrong});
  }
  if (words.empty()) return std::string(text);
  const Word& word = PickOne(words, random);
  return std::string(text).replace(word.begin, word.size,
                                   PickOne(*word.wrong, random));
}

std::string Noise::Confuse(std::string_view text, Random& random) const {
  return ToUtf8(ConfusionTable::Fitted().Apply(ToCodePoints(text), random));
}

std::string Noise::OneMistake(std::string_view text, const MistakeMix& mix,
                              Random& random) const {
  const double weights[] = {mix.slip, mix.sound, mix.misspelling,
                            mix.confusion};
  const auto kind = PickByWeight(weights, random);
  if (!kind) return std::string(text);
  switch (*kind) {
    case 0:
      return Slip(text, random);
    case 1:
      return Sound(text, random);
    case 2:
      return Misspell(text, random);
    default:
      return Confuse(text, random);
  }
}

std::optional<std::string> Noise::Mistakes(std::string_view text,
                                           const MistakeMix& mix, int count,
                                           Random& random) const {
  const std::string original = ComparableText(text);
  std::string current(text);
  for (int i = 0; i < count; ++i) {
    const std::string before = ComparableText(current);
    bool changed = false;
    for (int attempt = 0; attempt < kAttempts && !changed; ++attempt) {
      std::string next = OneMistake(current, mix, random);
      const std::string after = ComparableText(next);
      changed = !after.empty() && after != before && after != original;
      if (changed) current = std::move(next);
    }
    if (!changed) return std::nullopt;
  }
  return current;
}

std::string Noise::AsTyped(std::string_view text, Random& random) const {
  std::string typed = LowerCase(text);
  const bool lose_accents = random.Chance(config_.lose_accents);
  const bool lose_apostrophes = random.Chance(config_.lose_apostrophes);
  typed = lose_accents ? WithoutAccents(typed)
                       : WithWrongAccent(typed, config_.wrong_accent, random);
  return ToUtf8(LettersAndSpaces(ToCodePoints(typed), !lose_apostrophes));
}

std::string WithoutAccents(std::string_view text) {
  std::u32string result;
  for (const char32_t c : ToCodePoints(text)) {
    if (HasAccents(c)) {
      result += ToCodePoints(ComparableText(ToUtf8(std::u32string(1, c))));
    } else {
      result += c;
    }
  }
  return ToUtf8(result);
}

std::optional<std::string> CutLastWord(std::string_view text, size_t least,
                                       Random& random) {
  const auto words = SplitWords(text);
  if (words.empty()) return std::nullopt;
  const std::u32string last = ToCodePoints(words.back());
  if (last.size() <= least) return std::nullopt;
  const size_t kept = least + random.Below(last.size() - least);
  const auto begin = static_cast<size_t>(words.back().data() - text.data());
  return std::string(text.substr(0, begin)) +
         ToUtf8(std::u32string_view(last).substr(0, kept));
}

std::string WithFiller(std::string_view text, std::string_view filler) {
  return fmt::format("{} {}", text, filler);
}

std::string_view AnyFiller(Random& random) { return PickOne(kFillers, random); }

}  // namespace quaver
