// See ranker.h.
#include "quaver/search/ranker.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>

#include "quaver/search/rank_weights.h"

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
// Nearness of a query's best candidate: names with mistakes are above the
// first, descriptions mostly below the second.
constexpr float kNamed = 0.72f;
constexpr float kUnnamed = 0.58f;

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
    best = 1 - static_cast<float>(word.pattern.Osa(term)) / longer;
  }
  if (open && length > word.length) {
    const int edits = word.pattern.Osa(Beginning(term, word.length));
    best = std::max(
        best, 1 - static_cast<float>(edits) / word.length - kPrefixPenalty);
  }
  return best < kLeastSimilarity ? 0 : best;
}

// The text's similarity with the query, and that of its beginning.
struct WholeScore {
  float whole = 0;
  float open = 0;

  void Compare(const Query& query, std::string_view text, int length) {
    const int typed = query.whole.length();
    const float similarity = Similarity(query, text, typed + length);
    whole = std::max(whole, similarity);
    open = std::max(open,
                    length <= typed
                        ? similarity
                        : Similarity(query, Beginning(text, typed), 2 * typed));
  }

  static float Similarity(const Query& query, std::string_view text,
                          int both_lengths) {
    if (both_lengths == 0) return 1;
    return 1 - static_cast<float>(query.whole.Indel(text)) / both_lengths;
  }
};

// Features of candidates one by one; the similarities of a word are computed
// once, when it is first seen.
class Extractor {
 public:
  Extractor(const Segment& segment, const Query& query);

  Features Extract(const Candidate& candidate);

 private:
  const float* TermSimilarities(uint32_t term);
  float Coverage(uint32_t name);
  void JoinNeighbours(uint32_t name);
  float WordsScore(float* broken) const;
  void WholeScores(const Candidate& candidate, Features& features) const;
  float BestPossibleBm25() const;

  const Segment& segment_;
  const LexicalIndex& lexical_;
  const Query& query_;
  size_t num_patterns_;
  float best_bm25_;
  std::unordered_map<uint32_t, size_t> term_places_;  // in similarities_
  // Of a term to each word and joined pair, [terms seen, num_patterns].
  std::vector<float> similarities_;
  std::vector<float> best_;  // [num_patterns], of the document at hand
};

Extractor::Extractor(const Segment& segment, const Query& query)
    : segment_(segment),
      lexical_(segment.lexical()),
      query_(query),
      num_patterns_(query.words.size() + query.joined.size()),
      best_bm25_(BestPossibleBm25()),
      best_(num_patterns_, 0) {}

float Extractor::BestPossibleBm25() const {
  float best = 1e-6f;
  for (const QueryWord& word : query_.words) {
    const auto term = lexical_.FindTerm(word.text);
    if (term) best += lexical_.TermIdf(*term);
  }
  return best;
}

// num_patterns_ values, valid until the next call.
const float* Extractor::TermSimilarities(uint32_t term) {
  const auto [entry, is_new] =
      term_places_.try_emplace(term, similarities_.size());
  if (!is_new) return &similarities_[entry->second];
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
  return &similarities_[entry->second];
}

// Share of the name's words, by length, that stand in the query; raises best_.
float Extractor::Coverage(uint32_t name) {
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
void Extractor::JoinNeighbours(uint32_t name) {
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
float Extractor::WordsScore(float* broken) const {
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

void Extractor::WholeScores(const Candidate& candidate,
                            Features& features) const {
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

Features Extractor::Extract(const Candidate& candidate) {
  Features features = {};
  const auto set = [&](Feature feature, float value) {
    features[static_cast<int>(feature)] = value;
  };
  const float popularity = segment_.popularity()[candidate.doc];
  set(Feature::kPopularity, popularity);
  set(Feature::kPopularTail, -std::log10(1 - popularity + 1e-6f) / 6);
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

}  // namespace

std::string_view Name(Feature feature) {
  constexpr std::array<std::string_view, kNumFeatures> kNames = {
      "words",   "whole",  "whole_open", "title",        "artist",
      "names",   "exact",  "popularity", "popular_tail", "bm25",
      "meaning", "broken", "broad_bm25", "broad_meaning"};
  return kNames[static_cast<int>(feature)];
}

std::vector<Features> ExtractFeatures(const Segment& segment,
                                      const Query& query,
                                      std::span<const float> embedding,
                                      std::span<const Candidate> candidates) {
  Extractor extractor(segment, query);
  std::vector<Features> features;
  features.reserve(candidates.size());
  for (const Candidate& candidate : candidates) {
    features.push_back(extractor.Extract(candidate));
  }
  if (embedding.empty() || segment.vectors() == nullptr) return features;
  std::vector<uint32_t> docs;
  for (const Candidate& candidate : candidates) docs.push_back(candidate.doc);
  std::vector<float> cosines(docs.size());
  segment.vectors()->Score(embedding, docs, cosines);
  for (size_t i = 0; i < features.size(); ++i) {
    features[i][static_cast<int>(Feature::kMeaning)] =
        std::max(0.0f, cosines[i]);
  }
  return features;
}

float Nearness(const Features& features) {
  return 0.5f * (features[static_cast<int>(Feature::kWords)] +
                 features[static_cast<int>(Feature::kWhole)]);
}

float Breadth(float nearness) {
  return std::clamp((kNamed - nearness) / (kNamed - kUnnamed), 0.0f, 1.0f);
}

void SetBreadth(float breadth, Features& features) {
  const auto scale = [&](Feature from, Feature to) {
    features[static_cast<int>(to)] = breadth * features[static_cast<int>(from)];
  };
  scale(Feature::kBm25, Feature::kBroadBm25);
  scale(Feature::kMeaning, Feature::kBroadMeaning);
}

float RankScore(const Features& features) {
  float score = 0;
  for (int i = 0; i < kNumFeatures; ++i) {
    score += kRankWeights[i] * features[i];
  }
  return score;
}

}  // namespace quaver
