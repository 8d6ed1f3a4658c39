// How people mistype what they search for.
//
//   const Noise noise;
//   Random random(seed, row);
//   auto typed = noise.Mistakes("smells like teen spirit", kTyping, 2, random);
//
// Everything is drawn from the Random that is passed in, so equal seeds give
// equal mistakes on every machine. Texts are UTF-8; mistakes are made on code
// points. Text should be in the form of AsTyped.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "quaver/base/hash.h"
#include "quaver/noise/misspellings.h"

namespace quaver {

// Shares of the slips of a hand; they need not add to one. Between what
// writers leave in 150,000 human misspellings of words (letter dropped 28 %,
// swapped 17 %, added 16 %, doubled 7 %, a neighbour's key 5 %) and touch
// screens, where neighbours lead.
struct SlipRates {
  double near_key = 0.22;  // the key beside
  double drop = 0.25;      // a letter left out
  double swap = 0.19;      // two letters in the wrong order
  double insert = 0.12;    // the key beside as well
  double repeat = 0.09;    // a letter twice
  double join = 0.07;      // a space left out
  double split = 0.06;     // a space inside a word
};

// Shares of what is misspelled by ear.
struct SoundRates {
  double letters = 0.68;    // letters that sound alike: ph/f, ie/ei, vowels
  double undouble = 0.14;   // one of a double letter lost
  double redouble = 0.13;   // a consonant between vowels doubled
  double shorthand = 0.05;  // whole words as in messages: you/u, for/4
};

struct NoiseConfig {
  SlipRates slips;
  SoundRates sounds;
  // The weight of a word's first letter beside another's: writers get it
  // wrong in 2 % of mistakes where one letter in eight is a first one, typists
  // more often.
  double first_letter = 0.35;
  double lose_accents = 0.85;      // of the texts that have some
  double lose_apostrophes = 0.75;  // of the texts that have some
  double wrong_accent = 0.1;       // of the texts that keep some
};

// Shares of the kinds of mistake.
struct MistakeMix {
  double slip = 0;
  double sound = 0;
  double misspelling = 0;  // a real one, where a word of the text has any
  double confusion = 0;    // by fitted rates (confusions.h)
};
inline constexpr MistakeMix kTyping = {.slip = 1};
inline constexpr MistakeMix kBoth = {.slip = 1, .sound = 1};

// Immutable, thread-safe.
class Noise {
 public:
  explicit Noise(NoiseConfig config = {},
                 Misspellings misspellings = Misspellings::Common());

  // One mistake each; the text itself when it offers no place for it.
  std::string Slip(std::string_view text, Random& random) const;
  std::string Sound(std::string_view text, Random& random) const;
  std::string Misspell(std::string_view text, Random& random) const;
  std::string Confuse(std::string_view text, Random& random) const;

  // `count` mistakes one after the other, each of which changes the text's
  // comparable form (text/compare.h), as their sum does; nothing when the text
  // does not allow it.
  std::optional<std::string> Mistakes(std::string_view text,
                                      const MistakeMix& mix, int count,
                                      Random& random) const;

  // A name as it is typed by who knows it: lower case, punctuation to spaces,
  // accents and apostrophes lost, or another accent put, at the configured
  // rates.
  std::string AsTyped(std::string_view text, Random& random) const;

  const Misspellings& misspellings() const { return misspellings_; }

 private:
  std::string OneMistake(std::string_view text, const MistakeMix& mix,
                         Random& random) const;

  NoiseConfig config_;
  Misspellings misspellings_;
};

// Without the accents of Latin, Greek and Cyrillic letters.
std::string WithoutAccents(std::string_view text);
// The text stopped inside its last word, which keeps at least `least` and at
// most all but one of its code points; nothing when the word is too short.
std::optional<std::string> CutLastWord(std::string_view text, size_t least,
                                       Random& random);
// The text with a word that names no track behind it: "lyrics", "live" ...
std::string WithFiller(std::string_view text, std::string_view filler);
// One of the fillers.
std::string_view AnyFiller(Random& random);

}  // namespace quaver
