// A reading of a query: what may have been meant, and what speaks for it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/search/query.h"

namespace quaver {

// What the catalogue says of a reading.
struct Proof {
  // Of the document whose title and artist explain the reading best: the share
  // of the reading's letters in words that it has, and the share of its own
  // letters that the reading has.
  float explained = 0;
  float covered = 0;
  float popularity_tail = 0;  // as the ranking function's feature
  bool exact = false;         // the reading is its title, its artist or both
  bool whole_words = false;   // all are its words, none only begins one
  int hits = 0;      // documents with every word of it, at most kMaxHits
  float known = 0;   // share of its letters in words of the catalogue
  float rarest = 0;  // log10(1 + documents) of its rarest word
};

// What is known of a typed word.
enum class Typed : char {
  kUnknown,
  kKnown,  // a word of the catalogue
  kFixed   // in quotes: it stays
};

struct Reading {
  std::string text;        // normalised; words with a space between
  std::string shown;       // the same in comparable form
  std::string completion;  // `shown` with its last word finished; may be empty
  bool typed = false;      // the query itself
  bool from_dictionary = false;
  // The ranking function's score, as a share of the best one's, of the hit that
  // the query was moved onto; 0 for none.
  float name_score = 0;
  // The model's natural logarithm of its probability; 0 without a model.
  float model_score = 0;
  bool model_best = false;  // the model's own answer
  Proof proof;
};

enum class ReadingFeature {
  kTyped,
  kTypedKnown,      // the query itself, times the share of known letters
  kTypedExplained,  // the query itself, times what one document explains
  kModel,           // model_score / 10, not below -2
  kModelBest,
  kEdits,      // optimal string alignment, a letter of the query
  kKeys,       // KeyDistance, likewise
  kSounds,     // edits between the sounds, likewise
  kEditCount,  // the same three not a letter, / 3
  kKeyCount,
  kSoundCount,
  kSpaces,        // the same letters, words joined or split
  kNotFirst,      // a word's first letter is another
  kRealWords,     // share of letters in words of the catalogue that are changed
  kDropped,       // words fewer, / 3
  kKnown,         // proof.known
  kRarest,        // proof.rarest / 5
  kHits,          // log10(1 + hits) / 2
  kExplained,     // proof.explained
  kWhole,         // all letters explained by one document
  kCovered,       // proof.covered
  kExact,         // proof.exact
  kPopular,       // proof.popularity_tail, where all is explained
  kName,          // name_score
  kBestName,      // of the best hit
  kDictionary,    // from the dictionary
  kUnfinished,    // its last word is none of the catalogue's, but begins some
  kOneMore,       // the open last word is a word once it gets one letter more
  kMore,          // ... or several
  kCompletes,     // edits fewer without the last word's last letters, / 2
  kOnlyCompletes  // none then: the open query is its beginning
};
inline constexpr int kNumReadingFeatures = 31;
std::string_view Name(ReadingFeature feature);

using ReadingFeatures = std::array<float, kNumReadingFeatures>;

inline constexpr int kMaxHits = 99;

// Words of the query as the catalogue knows them, for kRealWords.
ReadingFeatures ExtractFeatures(const Query& query,
                                std::span<const Typed> known_words,
                                bool last_is_term, const Reading& reading);

// A weighted sum of the features and of a few units that each see all of them:
// linear . x + sum over h of outputs[h] * tanh(units[h] . x + biases[h]).
inline constexpr int kNumReadingUnits = 8;
struct ReadingWeights {
  ReadingFeatures linear = {};
  std::array<ReadingFeatures, kNumReadingUnits> units = {};
  std::array<float, kNumReadingUnits> biases = {};
  std::array<float, kNumReadingUnits> outputs = {};
};

// exp(score) is what readings compare by.
float ReadingScore(const ReadingFeatures& features,
                   const ReadingWeights& weights);
// By the fitted weights (reading_weights.h).
float ReadingScore(const ReadingFeatures& features);

// Softmax over the readings' scores: the probability of each.
std::vector<float> Probabilities(std::span<const float> scores);

}  // namespace quaver
