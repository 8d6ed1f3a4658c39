// See ranker.h.
#include "quaver/search/ranker.h"

#include <algorithm>

#include "quaver/search/rank_weights.h"

namespace quaver {
namespace {

// The nearness of the best candidate, of a query with mistakes and of one
// without: names are mostly above the first, descriptions mostly below the
// second.
struct NameRange {
  float near;
  float none;
};
constexpr NameRange kMistyped = {0.60f, 0.48f};
constexpr NameRange kSpelled = {0.80f, 0.68f};
constexpr size_t kLeastKnown = 3;
// What the features of names lose in a query that is none.
constexpr float kNamesFade = 0.85f;

}  // namespace

void Evidence::Add(const Features& features) {
  const auto get = [&](Feature feature) {
    return features[static_cast<int>(feature)];
  };
  nearness =
      std::max(nearness, 0.5f * (get(Feature::kWords) + get(Feature::kWhole)));
  bm25 = std::max(bm25, get(Feature::kBm25));
  meaning = std::max(meaning, get(Feature::kMeaning));
}

float Evidence::Breadth() const {
  const NameRange range = spelled ? kSpelled : kMistyped;
  const float breadth = (range.near - nearness) / (range.near - range.none);
  return std::clamp(breadth, 0.0f, 1.0f);
}

bool IsSpelled(const Snapshot& snapshot, const Query& query) {
  return std::all_of(
      query.words.begin(), query.words.end(), [&](const QueryWord& word) {
        const bool open = query.open && &word == &query.words.back();
        return std::any_of(
            snapshot.segments.begin(), snapshot.segments.end(),
            [&](const SnapshotSegment& part) {
              const LexicalIndex& lexical = part.segment->lexical();
              if (open && lexical.TermPrefix(word.text).size() > 0) return true;
              const auto term = lexical.FindTerm(word.text);
              return term && lexical.postings(*term).docs.size() >= kLeastKnown;
            });
      });
}

void ApplyBreadth(const Evidence& evidence, Features& features) {
  const auto at = [&](Feature feature) -> float& {
    return features[static_cast<int>(feature)];
  };
  const float breadth = evidence.Breadth();
  at(Feature::kBroadBm25) =
      breadth * at(Feature::kBm25) / std::max(evidence.bm25, 1e-6f);
  // Where no meaning is known, words stand in for it.
  at(Feature::kBroadMeaning) =
      evidence.meaning > 0 ? breadth * at(Feature::kMeaning) / evidence.meaning
                           : at(Feature::kBroadBm25);
  at(Feature::kBroadGenre) *= breadth;
  for (const Feature feature :
       {Feature::kWords, Feature::kWhole, Feature::kWholeOpen, Feature::kTitle,
        Feature::kArtist, Feature::kFame, Feature::kNames, Feature::kBroken}) {
    at(feature) *= 1 - kNamesFade * breadth;
  }
}

float RankScore(const Features& features) {
  float score = 0;
  for (int i = 0; i < kNumFeatures; ++i) {
    score += kRankWeights[i] * features[i];
  }
  return score;
}

}  // namespace quaver
