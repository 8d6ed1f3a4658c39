// See reading.h.
#include "quaver/search/reading.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

#include "quaver/search/internal/similarity.h"
#include "quaver/search/reading_weights.h"
#include "quaver/text/edit_distance.h"
#include "quaver/text/normalize.h"
#include "quaver/text/terms.h"
#include "quaver/text/typing.h"

namespace quaver {
namespace {

constexpr float kLeastModel = -2;
constexpr float kMaxCount = 6;

// Share of the query's letters in known words that the reading does not have.
float ChangedKnown(const Query& query, std::span<const Typed> known_words,
                   const std::vector<std::string_view>& words) {
  float changed = 0, total = 0;
  for (size_t i = 0; i < query.words.size(); ++i) {
    const auto letters = static_cast<float>(query.words[i].length);
    total += letters;
    const bool kept = std::find(words.begin(), words.end(),
                                query.words[i].text) != words.end();
    if (known_words[i] != Typed::kUnknown && !kept) changed += letters;
  }
  return total > 0 ? changed / total : 0;
}

// Whether some word begins with another letter than the query's of that place.
bool ChangesFirst(const Query& query,
                  const std::vector<std::string_view>& words) {
  const size_t n = std::min(words.size(), query.words.size());
  if (words.size() != query.words.size()) {
    return words[0][0] != query.words[0].text[0];
  }
  for (size_t i = 0; i < n; ++i) {
    if (words[i][0] != query.words[i].text[0]) return true;
  }
  return false;
}

// The least edits of the query to the text without some of its last letters,
// at most kMostCut and never the last word's first.
int EditsOfBeginning(const Query& query, const std::string& text,
                     std::string_view last_word, int edits) {
  constexpr int kMostCut = 3;
  const int letters = CodePointCount(last_word);
  const std::string_view before(text.data(), text.size() - last_word.size());
  int least = edits;
  for (int cut = 1; cut <= std::min(kMostCut, letters - 1); ++cut) {
    const std::string beginning =
        std::string(before).append(Beginning(last_word, letters - cut));
    least =
        std::min(least, query.whole.Osa(CutBytes(beginning, kMaxPatternBytes)));
  }
  return least;
}

float SoundDistance(const Query& query, const std::string& text) {
  const std::string typed = Squeeze(SoundForm(query.normalized));
  const std::string read = Squeeze(SoundForm(text));
  return static_cast<float>(EditPattern(CutBytes(typed, kMaxPatternBytes))
                                .Osa(CutBytes(read, kMaxPatternBytes)));
}

}  // namespace

std::string_view Name(ReadingFeature feature) {
  constexpr std::string_view kNames[] = {
      "typed",         "typed_known", "typed_explained",
      "model",         "model_best",  "edits",
      "keys",          "sounds",      "edit_count",
      "key_count",     "sound_count", "spaces",
      "not_first",     "real_words",  "dropped",
      "known",         "rarest",      "hits",
      "explained",     "whole",       "covered",
      "exact",         "popular",     "name",
      "best_name",     "dictionary",  "unfinished",
      "one_more",      "more",        "completes",
      "only_completes"};
  static_assert(std::size(kNames) == kNumReadingFeatures);
  return kNames[static_cast<size_t>(feature)];
}

ReadingFeatures ExtractFeatures(const Query& query,
                                std::span<const Typed> known_words,
                                bool last_is_term, const Reading& reading) {
  ReadingFeatures features = {};
  const auto set = [&](ReadingFeature feature, float value) {
    features[static_cast<size_t>(feature)] = value;
  };
  const Proof& proof = reading.proof;
  const auto words = SplitWords(reading.text);
  if (words.empty()) return features;
  set(ReadingFeature::kModel, std::max(kLeastModel, reading.model_score / 10));
  set(ReadingFeature::kModelBest, reading.model_best);
  set(ReadingFeature::kKnown, proof.known);
  set(ReadingFeature::kRarest, proof.rarest / 5);
  set(ReadingFeature::kHits,
      std::log10(1 + static_cast<float>(proof.hits)) / 2);
  set(ReadingFeature::kExplained, proof.explained);
  const bool whole = proof.explained > 0.999f;
  set(ReadingFeature::kWhole, whole);
  set(ReadingFeature::kCovered, proof.covered * proof.explained);
  set(ReadingFeature::kExact, proof.exact);
  set(ReadingFeature::kPopular, whole ? proof.popularity_tail : 0);
  set(ReadingFeature::kName, reading.name_score);
  set(ReadingFeature::kBestName, reading.name_score > 0.999f);
  set(ReadingFeature::kUnfinished, query.open && !last_is_term);
  if (reading.typed) {
    set(ReadingFeature::kTyped, 1);
    set(ReadingFeature::kTypedKnown, proof.known);
    set(ReadingFeature::kTypedExplained, proof.explained);
    return features;
  }
  set(ReadingFeature::kDictionary, reading.from_dictionary);
  // Of the letters, as people measure mistakes; long queries have more room.
  const auto letters =
      static_cast<float>(std::max(4, CodePointCount(query.normalized)));
  const bool spaces = Squeeze(reading.text) == query.squeezed;
  set(ReadingFeature::kSpaces, spaces);
  const auto edits = static_cast<float>(
      query.whole.Osa(CutBytes(reading.text, kMaxPatternBytes)));
  const float keys = KeyDistance(query.normalized, reading.text);
  const float sounds = SoundDistance(query, reading.text);
  set(ReadingFeature::kEdits, edits / letters);
  set(ReadingFeature::kKeys, keys / letters);
  set(ReadingFeature::kSounds, sounds / letters);
  set(ReadingFeature::kEditCount, std::min(edits, kMaxCount) / 3);
  set(ReadingFeature::kKeyCount, std::min(keys, kMaxCount) / 3);
  set(ReadingFeature::kSoundCount, std::min(sounds, kMaxCount) / 3);
  set(ReadingFeature::kNotFirst, ChangesFirst(query, words));
  set(ReadingFeature::kRealWords, ChangedKnown(query, known_words, words));
  const auto fewer =
      static_cast<float>(query.words.size()) - static_cast<float>(words.size());
  set(ReadingFeature::kDropped, std::max(0.0f, fewer) / 3);
  const int more = CodePointCount(words.back()) - query.words.back().length;
  const bool finished = query.open && last_is_term;
  set(ReadingFeature::kOneMore, finished && more == 1);
  set(ReadingFeature::kMore, finished && more > 1);
  if (query.open) {
    const int all = static_cast<int>(edits);
    const int fewest = EditsOfBeginning(query, reading.text, words.back(), all);
    set(ReadingFeature::kCompletes, static_cast<float>(all - fewest) / 2);
    set(ReadingFeature::kOnlyCompletes, fewest == 0 && all > 0);
  }
  return features;
}

float ReadingScore(const ReadingFeatures& features,
                   const ReadingWeights& weights) {
  const auto sum = [&](const ReadingFeatures& row) {
    return std::inner_product(row.begin(), row.end(), features.begin(), 0.0f);
  };
  float score = sum(weights.linear);
  for (size_t h = 0; h < weights.units.size(); ++h) {
    score += weights.outputs[h] *
             std::tanh(sum(weights.units[h]) + weights.biases[h]);
  }
  return score;
}

float ReadingScore(const ReadingFeatures& features) {
  return ReadingScore(features, kReadingWeights);
}

std::vector<float> Probabilities(std::span<const float> scores) {
  std::vector<float> shares(scores.begin(), scores.end());
  const float greatest = *std::max_element(scores.begin(), scores.end());
  float sum = 0;
  for (float& share : shares) sum += share = std::exp(share - greatest);
  for (float& share : shares) share /= sum;
  return shares;
}

}  // namespace quaver
