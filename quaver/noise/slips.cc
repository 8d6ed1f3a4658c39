// Slips of the hand, one function a kind.
#include "quaver/noise/slips.h"

#include <functional>
#include <optional>
#include <vector>

#include "quaver/noise/internal/pick.h"
#include "quaver/text/compare.h"
#include "quaver/text/keyboard.h"

namespace quaver {
namespace {

using Allowed = std::function<bool(size_t)>;

bool IsLetter(const std::u32string& text, size_t i) {
  return i < text.size() && IsWordCharacter(text[i]);
}

// A position that is allowed; first letters of words are rarer.
std::optional<size_t> Place(const std::u32string& text, double first_letter,
                            Random& random, const Allowed& allowed) {
  std::vector<double> weights(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (!allowed(i)) continue;
    weights[i] = i == 0 || !IsLetter(text, i - 1) ? first_letter : 1;
  }
  return PickByWeight(weights, random);
}

struct Slipper {
  const std::u32string& text;
  double first_letter;
  Random& random;

  std::optional<size_t> Letter() const {
    return Place(text, first_letter, random,
                 [&](size_t i) { return IsLetter(text, i); });
  }

  std::optional<size_t> Key() const {
    return Place(text, first_letter, random,
                 [&](size_t i) { return !NearKeys(text[i]).empty(); });
  }

  std::u32string NearKey() const {
    const auto at = Key();
    if (!at) return text;
    std::u32string result = text;
    result[*at] = PickOne(NearKeys(text[*at]), random);
    return result;
  }

  std::u32string Drop() const {
    const auto at = Letter();
    return at ? std::u32string(text).erase(*at, 1) : text;
  }

  std::u32string Swap() const {
    const auto at = Place(text, first_letter, random, [&](size_t i) {
      return IsLetter(text, i) && IsLetter(text, i + 1) &&
             text[i] != text[i + 1];
    });
    if (!at) return text;
    std::u32string result = text;
    std::swap(result[*at], result[*at + 1]);
    return result;
  }

  std::u32string Insert() const {
    const auto at = Key();
    if (!at) return text;
    const char32_t key = PickOne(NearKeys(text[*at]), random);
    return std::u32string(text).insert(*at + random.Below(2), 1, key);
  }

  std::u32string Repeat() const {
    const auto at = Letter();
    return at ? std::u32string(text).insert(*at, 1, text[*at]) : text;
  }

  std::u32string Join() const {
    const auto at = Place(text, first_letter, random,
                          [&](size_t i) { return text[i] == U' '; });
    return at ? std::u32string(text).erase(*at, 1) : text;
  }

  // Leaves at least two letters before and two after.
  std::u32string Split() const {
    const auto at = Place(text, first_letter, random, [&](size_t i) {
      return i >= 2 && IsLetter(text, i - 2) && IsLetter(text, i - 1) &&
             IsLetter(text, i) && IsLetter(text, i + 1);
    });
    return at ? std::u32string(text).insert(*at, 1, U' ') : text;
  }
};

}  // namespace

std::u32string OneSlip(const std::u32string& text, const NoiseConfig& config,
                       Random& random) {
  const SlipRates& rates = config.slips;
  const double weights[] = {rates.near_key, rates.drop,   rates.swap,
                            rates.insert,   rates.repeat, rates.join,
                            rates.split};
  const auto kind = PickByWeight(weights, random);
  if (!kind) return text;
  const Slipper slipper = {text, config.first_letter, random};
  switch (*kind) {
    case 0:
      return slipper.NearKey();
    case 1:
      return slipper.Drop();
    case 2:
      return slipper.Swap();
    case 3:
      return slipper.Insert();
    case 4:
      return slipper.Repeat();
    case 5:
      return slipper.Join();
    default:
      return slipper.Split();
  }
}

}  // namespace quaver
