// See features.h.
#include "quaver/search/features.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "quaver/search/internal/place_map.h"
#include "quaver/search/internal/similarity.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

// Two words joined are a little less than one.
constexpr float kJoinPenalty = 0.02f;
// A query word with less has found no partner.
constexpr float kPartner = 0.6f;
// A genre's word and a query's are the same from here on: "song", "songs".
constexpr float kSameWord = 0.8f;

// Features of candidates one by one; the similarities of a word are computed
// once, when it is first seen.
class Extractor {
 public:
  Extractor(const Segment& segment, const Query& query);

  Features Extract(const Candidate& candidate);

 private:
  struct GenreMatch {
    bool known = false;
    float covered = 0;  // share of the genre's letters found in the query
    float share = 0;    // of the query's weight found in the genre
  };

  const GenreMatch& MatchGenre(uint32_t genre);
  const float* TermSimilarities(uint32_t term, std::string_view text);
  float Coverage(uint32_t name);
  void JoinNeighbours(uint32_t name);
  float WordsScore(float* broken) const;
  void WholeScores(const Candidate& candidate, Features& features);
  // Valid until the next call.
  std::string_view Join(std::string_view first, std::string_view between,
                        std::string_view second) {
    joined_.assign(first).append(between).append(second);
    return joined_;
  }
  float BestPossibleBm25() const;

  const Segment& segment_;
  const LexicalIndex& lexical_;
  const Query& query_;
  size_t num_patterns_;
  float best_bm25_;
  PlaceMap term_places_;  // in similarities_
  // Of a term to each word and joined pair, [terms seen, num_patterns].
  std::vector<float> similarities_;
  std::vector<float> best_;         // [num_patterns], of the document at hand
  std::vector<GenreMatch> genres_;  // by genre of the segment
  std::string joined_;
};

Extractor::Extractor(const Segment& segment, const Query& query)
    : segment_(segment),
      lexical_(segment.lexical()),
      query_(query),
      num_patterns_(query.words.size() + query.joined.size()),
      best_bm25_(BestPossibleBm25()),
      best_(num_patterns_, 0),
      genres_(segment.genre_names().size()) {}

float Extractor::BestPossibleBm25() const {
  float best = 1e-6f;
  for (const QueryWord& word : query_.words) {
    const auto term = lexical_.FindTerm(word.text);
    if (term) best += lexical_.TermIdf(*term);
  }
  return best;
}

// num_patterns_ values, valid until the next call.
const float* Extractor::TermSimilarities(uint32_t term, std::string_view text) {
  const auto next = static_cast<uint32_t>(similarities_.size());
  const uint32_t place = term_places_.FindOrAdd(term, next);
  if (place != next) return &similarities_[place];
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
  return &similarities_[next];
}

// Share of the name's words, by length, that stand in the query; raises best_.
// The words are read from the name, which lies in one place.
float Extractor::Coverage(uint32_t name) {
  float covered = 0;
  float total = 0;
  WordReader words(lexical_.name(name));
  for (const uint32_t term : lexical_.name_terms(name)) {
    const std::string_view word = words.Next();
    const float* similarities = TermSimilarities(term, word);
    float best = 0;
    for (size_t i = 0; i < num_patterns_; ++i) {
      best = std::max(best, similarities[i]);
      best_[i] = std::max(best_[i], similarities[i]);
    }
    const auto length = static_cast<float>(word.size());
    covered += best * length;
    total += length;
  }
  return total > 0 ? covered / total : 0;
}

// Two words of the name that the query joins: "beatit" finds "beat it".
void Extractor::JoinNeighbours(uint32_t name) {
  for (size_t i = 0; i < query_.words.size(); ++i) {
    const QueryWord& query_word = query_.words[i];
    if (best_[i] > 0.85f || query_word.length < 4) continue;
    WordReader words(lexical_.name(name));
    std::string_view last = words.Next();
    for (std::string_view word = words.Next(); !word.empty();
         last = std::exchange(word, words.Next())) {
      const auto length = static_cast<int>(last.size() + word.size());
      if (std::abs(length - query_word.length) > 3) continue;
      const auto similarity = static_cast<float>(
          OsaSimilarity(query_word.pattern, Join(last, "", word)));
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

void Extractor::WholeScores(const Candidate& candidate, Features& features) {
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
    score.Compare(query_, Join(t, " ", a), length);
    score.Compare(query_, Join(a, " ", t), length);
  }
  features[static_cast<int>(Feature::kWhole)] = score.whole;
  features[static_cast<int>(Feature::kWholeOpen)] =
      query_.open ? score.open : score.whole;
  features[static_cast<int>(Feature::kExact)] = score.whole > 0.9999f;
}

// Words that say what kind of thing is wanted are in no genre's name but
// "Music", which says nothing: they are left out.
const Extractor::GenreMatch& Extractor::MatchGenre(uint32_t genre) {
  GenreMatch& match = genres_[genre];
  if (match.known) return match;
  match.known = true;
  const std::string name = Normalize(segment_.genre_names()[genre]);
  std::vector<bool> found(query_.words.size());
  float covered = 0, length = 0;
  for (const std::string_view word : SplitWords(name)) {
    bool same = false;
    for (size_t i = 0; i < found.size(); ++i) {
      const QueryWord& typed = query_.words[i];
      if (typed.is_filler || OsaSimilarity(typed.pattern, word) < kSameWord) {
        continue;
      }
      found[i] = same = true;
    }
    length += static_cast<float>(word.size());
    if (same) covered += static_cast<float>(word.size());
  }
  float weight = 0, total = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    total += query_.words[i].weight;
    if (found[i]) weight += query_.words[i].weight;
  }
  if (length > 0) match.covered = covered / length;
  if (total > 0) match.share = weight / total;
  return match;
}

Features Extractor::Extract(const Candidate& candidate) {
  Features features = {};
  const auto set = [&](Feature feature, float value) {
    features[static_cast<int>(feature)] = value;
  };
  const float popularity = segment_.popularity()[candidate.doc];
  set(Feature::kPopularTail, PopularTail(popularity));
  if (query_.words.empty()) return features;
  std::fill(best_.begin(), best_.end(), 0);
  const uint32_t title = lexical_.title_names()[candidate.doc];
  const uint32_t artist = lexical_.artist_names()[candidate.doc];
  if (title != kNoName) set(Feature::kTitle, Coverage(title));
  if (artist != kNoName) {
    const float covered = Coverage(artist);
    const auto known = static_cast<float>(lexical_.artist_docs(artist).size());
    set(Feature::kArtist, covered);
    set(Feature::kFame,
        covered * std::clamp(0.5f * std::log10(known / 4), 0.0f, 1.0f));
  }
  if (title != kNoName) JoinNeighbours(title);
  if (artist != kNoName) JoinNeighbours(artist);
  float broken = 0;
  set(Feature::kWords, WordsScore(&broken));
  set(Feature::kBroken, broken);
  set(Feature::kNames, candidate.scores[static_cast<int>(Leg::kNames)]);
  set(Feature::kBm25,
      candidate.scores[static_cast<int>(Leg::kWords)] / best_bm25_);
  WholeScores(candidate, features);
  const GenreMatch& genre = MatchGenre(segment_.genres()[candidate.doc]);
  set(Feature::kGenre, genre.covered * genre.share);
  set(Feature::kBroadGenre, genre.covered);
  return features;
}

}  // namespace

float PopularTail(float popularity) {
  return -std::log10(1 - popularity + 1e-6f) / 6;
}

std::string_view Name(Feature feature) {
  constexpr std::array<std::string_view, kNumFeatures> kNames = {
      "words", "whole",      "whole_open",    "title",      "artist",  "names",
      "exact", "fame",       "popular_tail",  "bm25",       "meaning", "broken",
      "genre", "broad_bm25", "broad_meaning", "broad_genre"};
  return kNames[static_cast<int>(feature)];
}

std::vector<Features> ExtractFeatures(const Segment& segment,
                                      const Query& query,
                                      std::span<const float> embedding,
                                      std::span<const Candidate> candidates) {
  std::vector<uint32_t> names;
  for (const Candidate& candidate : candidates) {
    names.push_back(segment.lexical().title_names()[candidate.doc]);
    names.push_back(segment.lexical().artist_names()[candidate.doc]);
  }
  segment.lexical().PrefetchNames(names);
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

}  // namespace quaver
