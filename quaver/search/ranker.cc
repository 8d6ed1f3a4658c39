// See ranker.h.
#include "quaver/search/ranker.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "quaver/search/rank_weights.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

// Less than this is chance: two random English words of six letters share
// more than 30 % of their letters in order less than one time in twenty.
constexpr float kLeastSimilarity = 0.3f;
// A beginning is a little less than the whole word.
constexpr float kPrefixPenalty = 0.03f;
constexpr float kJoinPenalty = 0.02f;
// A query word with less has found no partner.
constexpr float kPartner = 0.6f;
constexpr uint32_t kNoTerm = UINT32_MAX;

// The first `count` code points.
std::string_view Beginning(std::string_view text, int count) {
  size_t end = 0;
  while (end < text.size() && count > 0) {
    ++end;
    while (end < text.size() && (text[end] & 0xC0) == 0x80) ++end;
    --count;
  }
  return text.substr(0, end);
}

float WordSimilarity(const QueryWord& word, std::string_view term, int length,
                     bool open) {
  const int longer = std::max(word.length, length);
  const int shorter = std::min(word.length, length);
  float best = 0;
  // Each letter of difference costs an edit.
  if (static_cast<float>(shorter) >= kLeastSimilarity * longer) {
    best = static_cast<float>(OsaSimilarity(word.pattern, term));
  }
  if (open && length > word.length) {
    const auto beginning = static_cast<float>(
        OsaSimilarity(word.pattern, Beginning(term, word.length)));
    best = std::max(best, beginning - kPrefixPenalty);
  }
  return best < kLeastSimilarity ? 0 : best;
}

// The text's similarity with the query, and that of its beginning.
struct WholeScore {
  float whole = 0;
  float open = 0;

  void Compare(const Query& query, std::string_view text, int length) {
    whole = std::max(
        whole, static_cast<float>(IndelSimilarity(query.whole, text)));
    if (length <= query.whole.length()) {
      open = std::max(open, whole);
      return;
    }
    const std::string_view beginning =
        Beginning(text, query.whole.length());
    open = std::max(open, static_cast<float>(
                              IndelSimilarity(query.whole, beginning)));
  }
};

}  // namespace

std::string_view Name(Feature feature) {
  constexpr std::array<std::string_view, kNumFeatures> kNames = {
      "words", "whole",      "whole_open",      "title", "artist",  "names",
      "exact", "popularity", "popular_tail", "bm25",  "meaning", "broken"};
  return kNames[static_cast<int>(feature)];
}

FeatureExtractor::FeatureExtractor(const Segment& segment, const Query& query,
                                   std::span<const float> embedding)
    : segment_(segment),
      lexical_(segment.lexical()),
      query_(query),
      embedding_(embedding),
      num_patterns_(query.words.size() + query.joined.size()),
      best_bm25_(BestPossibleBm25()),
      term_keys_(4096, kNoTerm),
      term_slots_(4096, 0),
      best_(num_patterns_, 0) {}

float FeatureExtractor::BestPossibleBm25() const {
  float best = 1e-6f;
  for (const QueryWord& word : query_.words) {
    const auto term = lexical_.FindTerm(word.text);
    if (term) best += lexical_.TermIdf(*term);
  }
  return best;
}

// A pointer to num_patterns_ values, valid until the next call.
const float* FeatureExtractor::TermSimilarities(uint32_t term) {
  const size_t mask = term_keys_.size() - 1;
  size_t place = (term * 0x9E3779B1u) & mask;
  while (term_keys_[place] != kNoTerm && term_keys_[place] != term) {
    place = (place + 1) & mask;
  }
  if (term_keys_[place] == term) {
    return &similarities_[term_slots_[place] * num_patterns_];
  }
  const size_t slot = similarities_.size() / num_patterns_;
  term_keys_[place] = term;
  term_slots_[place] = static_cast<uint32_t>(slot);
  const std::string_view text = lexical_.term(term);
  const int length = CodePointCount(text);
  const size_t last = query_.words.size() - 1;
  for (size_t i = 0; i < query_.words.size(); ++i) {
    similarities_.push_back(WordSimilarity(query_.words[i], text, length,
                                           query_.open && i == last));
  }
  for (size_t i = 0; i < query_.joined.size(); ++i) {
    similarities_.push_back(WordSimilarity(query_.joined[i], text, length,
                                           query_.open && i + 1 == last));
  }
  // Kept at most half full, so that a free place is near.
  if (2 * (slot + 1) > term_keys_.size()) {
    term_keys_.assign(term_keys_.size(), kNoTerm);
    similarities_.erase(similarities_.begin(),
                        similarities_.end() - num_patterns_);
    term_keys_[(term * 0x9E3779B1u) & mask] = term;
    term_slots_[(term * 0x9E3779B1u) & mask] = 0;
  }
  return &similarities_[similarities_.size() - num_patterns_];
}

// Share of the name's words, by length, that stand in the query; raises best_.
float FeatureExtractor::Coverage(uint32_t name) {
  float covered = 0;
  float total = 0;
  for (const uint32_t term : lexical_.name_terms(name)) {
    const float* similarities = TermSimilarities(term);
    float best = 0;
    for (size_t i = 0; i < num_patterns_; ++i) {
      best = std::max(best, similarities[i]);
      best_[i] = std::max(best_[i], similarities[i]);
    }
    const auto length = static_cast<float>(lexical_.term(term).size());
    covered += best * length;
    total += length;
  }
  return total > 0 ? covered / total : 0;
}

// Two words of the name that the query joins: "beatit" finds "beat it".
void FeatureExtractor::JoinNeighbours(uint32_t name) {
  const std::span<const uint32_t> terms = lexical_.name_terms(name);
  for (size_t i = 0; i < query_.words.size(); ++i) {
    const QueryWord& word = query_.words[i];
    if (best_[i] > 0.85f || word.length < 4) continue;
    for (size_t k = 1; k < terms.size(); ++k) {
      const std::string_view a = lexical_.term(terms[k - 1]);
      const std::string_view b = lexical_.term(terms[k]);
      const int length = static_cast<int>(a.size() + b.size());
      if (std::abs(length - word.length) > 3) continue;
      const std::string joined = std::string(a) + std::string(b);
      const auto similarity =
          static_cast<float>(OsaSimilarity(word.pattern, joined));
      best_[i] = std::max(best_[i], similarity - kJoinPenalty);
    }
  }
}

// The mean over the query's words, by weight, of their best similarity.
float FeatureExtractor::WordsScore(float* broken) const {
  const size_t num_words = query_.words.size();
  float found = 0;
  float total = 0;
  float lost = 0;
  for (size_t i = 0; i < num_words; ++i) {
    float best = best_[i];
    if (i > 0) best = std::max(best, best_[num_words + i - 1] - kJoinPenalty);
    if (i + 1 < num_words) {
      best = std::max(best, best_[num_words + i] - kJoinPenalty);
    }
    const float weight = query_.words[i].weight;
    found += weight * best;
    total += weight;
    if (best < kPartner) lost += weight;
  }
  *broken = total > 0 ? lost / total : 0;
  return total > 0 ? found / total : 0;
}

void FeatureExtractor::WholeScores(const Candidate& candidate,
                                   Features& features) {
  const uint32_t title = lexical_.title_names()[candidate.doc];
  const uint32_t artist = lexical_.artist_names()[candidate.doc];
  const std::string_view t = title == kNoName ? "" : lexical_.name(title);
  const std::string_view a = artist == kNoName ? "" : lexical_.name(artist);
  WholeScore score;
  const int t_length = CodePointCount(t);
  const int a_length = CodePointCount(a);
  score.Compare(query_, t, t_length);
  if (!a.empty()) {
    score.Compare(query_, a, a_length);
    const int length = t_length + 1 + a_length;
    score.Compare(query_, fmt::format("{} {}", t, a), length);
    score.Compare(query_, fmt::format("{} {}", a, t), length);
  }
  features[static_cast<int>(Feature::kWhole)] = score.whole;
  features[static_cast<int>(Feature::kWholeOpen)] =
      query_.open ? score.open : score.whole;
  features[static_cast<int>(Feature::kExact)] = score.whole > 0.9999f;
}

Features FeatureExtractor::Extract(const Candidate& candidate) {
  Features features = {};
  const auto set = [&](Feature feature, float value) {
    features[static_cast<int>(feature)] = value;
  };
  const float popularity = segment_.popularity()[candidate.doc];
  set(Feature::kPopularity, popularity);
  set(Feature::kPopularTail, -std::log10(1 - popularity + 1e-6f) / 6);
  if (!embedding_.empty() && segment_.vectors() != nullptr) {
    set(Feature::kMeaning,
        std::max(0.0f, segment_.vectors()->Score(embedding_, candidate.doc)));
  }
  if (query_.words.empty()) return features;
  std::fill(best_.begin(), best_.end(), 0);
  const uint32_t title = lexical_.title_names()[candidate.doc];
  const uint32_t artist = lexical_.artist_names()[candidate.doc];
  if (title != kNoName) set(Feature::kTitle, Coverage(title));
  if (artist != kNoName) set(Feature::kArtist, Coverage(artist));
  if (title != kNoName) JoinNeighbours(title);
  if (artist != kNoName) JoinNeighbours(artist);
  float broken = 0;
  set(Feature::kWords, WordsScore(&broken));
  set(Feature::kBroken, broken);
  set(Feature::kNames, candidate.scores[static_cast<int>(Leg::kNames)]);
  set(Feature::kBm25,
      candidate.scores[static_cast<int>(Leg::kWords)] / best_bm25_);
  WholeScores(candidate, features);
  return features;
}

float RankScore(const Features& features) {
  float score = 0;
  for (int i = 0; i < kNumFeatures; ++i) {
    score += kRankWeights[i] * features[i];
  }
  return score;
}

}  // namespace quaver
