// See retriever.h.
#include "quaver/search/retriever.h"

#include <algorithm>
#include <cmath>

namespace quaver {
namespace {

using HitLists = std::array<std::vector<LegHit>, kMaxDocumentTypes>;

// Of the n-gram score; popular documents win among equals.
constexpr float kPopularityPrior = 0.05f;
// Names whose documents are looked at.
constexpr size_t kMaxNames = 1000;
// Names below this share of the best n-gram score are not.
constexpr float kNameCut = 0.25f;
// The best name has at least this share of the n-grams' weight, as a rule.
constexpr float kExpectedBest = 0.5f;
// The n-gram score of a name that has all of the query's n-grams.
constexpr float kScoreUnits = 60'000;
// Documents looked at behind one name: above the largest real discography.
constexpr size_t kMaxDocsPerName = 2000;
// A prefix range with more names than this is searched by popularity instead.
constexpr uint32_t kMaxRangeNames = 4096;
// Then at most this many documents are looked at, the most popular first.
constexpr uint32_t kMaxScannedDocs = 20'000;
constexpr uint32_t kMaxPrefixTerms = 256;

bool Better(const LegHit& a, const LegHit& b) {
  return a.score != b.score ? a.score > b.score : a.doc < b.doc;
}

// Keeps the best `count` of a list, best first, each document once.
void KeepBest(std::vector<LegHit>& hits, size_t count) {
  // A document may stand twice (by its title and by its artist), equal.
  const size_t keep = std::min(hits.size(), 2 * count);
  std::nth_element(hits.begin(), hits.begin() + keep, hits.end(), Better);
  hits.resize(keep);
  std::sort(hits.begin(), hits.end(), Better);
  hits.erase(std::unique(hits.begin(), hits.end(),
                         [](const LegHit& a, const LegHit& b) {
                           return a.doc == b.doc;
                         }),
             hits.end());
  if (hits.size() > count) hits.resize(count);
}

class SegmentSearch {
 public:
  SegmentSearch(const Segment& segment, const Query& query,
                const AcceptDoc& accept, RetrieverScratch& scratch)
      : segment_(segment),
        lexical_(segment.lexical()),
        query_(query),
        accept_(accept),
        scratch_(scratch) {}

  HitLists Names();
  HitLists Words();
  HitLists Prefix(int count);

 private:
  float AccumulateGrams();
  void KeepBestNames();
  void AddNameDocs(std::span<const uint32_t> docs, float inverse_norm,
                   HitLists& hits) const;
  float NameScore(uint32_t doc, float inverse_norm) const;
  void AccumulateTerm(uint32_t term, float factor);
  void PrefixByNames(IdRange names, HitLists& hits) const;
  void PrefixByPopularity(IdRange names, int count, HitLists& hits) const;
  void PrefixByTerms(std::string_view prefix, int count, HitLists& hits) const;
  void Push(uint32_t doc, float score, HitLists& hits) const {
    hits[segment_.types()[doc]].push_back({doc, score});
  }

  const Segment& segment_;
  const LexicalIndex& lexical_;
  const Query& query_;
  const AcceptDoc& accept_;
  RetrieverScratch& scratch_;
  float score_unit_ = 0;  // of name_scores
};

// Adds the weight to each name's score and appends the names whose score was 0
// to `touched`, which has room for all names and one more. Without branches:
// whether a name is new is a coin toss.
size_t AddAndCollect(std::span<const uint32_t> names, uint16_t weight,
                     std::vector<uint16_t>& scores, uint32_t* touched,
                     size_t num_touched) {
  for (const uint32_t name : names) {
    const uint16_t score = scores[name];
    touched[num_touched] = name;
    num_touched += score == 0;
    scores[name] = static_cast<uint16_t>(score + weight);
  }
  return num_touched;
}

// Fills name_scores with sums of squared weights and `touched` with every name
// that may reach kNameCut of the best; returns the query's norm. Names are
// collected from the rarer n-grams only: what the frequent ones weigh together
// is below the cut (the MaxScore rule of Turtle & Flood 1995).
float SegmentSearch::AccumulateGrams() {
  struct List {
    std::span<const uint32_t> names;
    float weight;
  };
  std::vector<List> lists;
  float square = 0;
  for (const Gram gram : query_.grams) {
    const std::span<const uint32_t> names = lexical_.gram_names(gram);
    const float idf = lexical_.GramIdf(names.size());
    square += idf * idf;
    if (!names.empty()) lists.push_back({names, idf * idf});
  }
  std::sort(lists.begin(), lists.end(),
            [](const List& a, const List& b) { return a.weight > b.weight; });
  float left = 0;
  for (const List& list : lists) left += list.weight;
  const float cut = kExpectedBest * kNameCut * left;

  // 16 bits a score keep the array in the L2 cache; kScoreUnits is the whole.
  score_unit_ = left / kScoreUnits;
  std::vector<uint16_t>& scores = scratch_.name_scores;
  scores.assign(lexical_.num_names(), 0);
  scratch_.touched.resize(size_t{lexical_.num_names()} + 1);
  size_t num_touched = 0;
  for (const List& list : lists) {
    const auto weight = static_cast<uint16_t>(list.weight / score_unit_);
    if (left >= cut) {
      num_touched = AddAndCollect(list.names, weight, scores,
                                  scratch_.touched.data(), num_touched);
    } else {
      for (const uint32_t name : list.names) scores[name] += weight;
    }
    left -= list.weight;
  }
  scratch_.touched.resize(num_touched);
  return std::sqrt(square);
}

// The greatest cosine of the query with the title, the artist and both.
float SegmentSearch::NameScore(uint32_t doc, float inverse_norm) const {
  const uint32_t title = lexical_.title_names()[doc];
  const uint32_t artist = lexical_.artist_names()[doc];
  const std::vector<uint16_t>& scores = scratch_.name_scores;
  float title_score = 0, title_norm = 0, artist_score = 0, artist_norm = 0;
  float best = 0;
  if (title != kNoName) {
    title_score = scores[title] * score_unit_;
    title_norm = lexical_.gram_norm(title);
    best = title_score / title_norm;
  }
  if (artist != kNoName) {
    artist_score = scores[artist] * score_unit_;
    artist_norm = lexical_.gram_norm(artist);
    best = std::max(best, artist_score / artist_norm);
    // The two share few n-grams: as if they shared none.
    best = std::max(best, (title_score + artist_score) /
                              std::sqrt(title_norm * title_norm +
                                        artist_norm * artist_norm));
  }
  return best * inverse_norm;
}

void SegmentSearch::AddNameDocs(std::span<const uint32_t> docs,
                                float inverse_norm, HitLists& hits) const {
  for (const uint32_t doc :
       docs.first(std::min(docs.size(), kMaxDocsPerName))) {
    if (!accept_(doc)) continue;
    Push(doc,
         NameScore(doc, inverse_norm) +
             kPopularityPrior * segment_.popularity()[doc],
         hits);
  }
}

// Cuts `touched` to about the kMaxNames best by score / sqrt(norm), which is
// fair to short names (as the cosine is) and to long ones (as the score is).
void SegmentSearch::KeepBestNames() {
  constexpr int kBuckets = 512;
  std::vector<uint32_t>& names = scratch_.touched;
  std::vector<float>& values = scratch_.values;
  values.resize(names.size());
  float best = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    values[i] = scratch_.name_scores[names[i]] /
                std::sqrt(lexical_.gram_norm(names[i]));
    best = std::max(best, values[i]);
  }
  const float scale = (kBuckets - 1) / std::max(best, 1e-6f);
  std::array<uint32_t, kBuckets> counts = {};
  for (const float value : values) ++counts[static_cast<int>(value * scale)];
  int bucket = kBuckets - 1;
  for (size_t kept = counts[bucket]; bucket > 0; --bucket) {
    kept += counts[bucket - 1];
    if (kept > kMaxNames) break;
  }
  size_t kept = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    if (static_cast<int>(values[i] * scale) >= bucket) {
      names[kept++] = names[i];
    }
  }
  names.resize(kept);
}

HitLists SegmentSearch::Names() {
  HitLists hits;
  const float norm = AccumulateGrams();
  if (norm == 0) return hits;
  KeepBestNames();
  for (const uint32_t name : scratch_.touched) {
    AddNameDocs(lexical_.title_docs(name), 1 / norm, hits);
    AddNameDocs(lexical_.artist_docs(name), 1 / norm, hits);
  }
  return hits;
}

void SegmentSearch::AccumulateTerm(uint32_t term, float factor) {
  const TermPostings postings = lexical_.postings(term);
  const float weight = factor * lexical_.TermIdf(term) / 255;
  for (size_t i = 0; i < postings.docs.size(); ++i) {
    float& score = scratch_.doc_scores[postings.docs[i]];
    if (score == 0) scratch_.touched.push_back(postings.docs[i]);
    score += weight * postings.impacts[i];
  }
}

HitLists SegmentSearch::Words() {
  scratch_.doc_scores.resize(segment_.num_documents(), 0);
  scratch_.touched.clear();
  for (const QueryWord& word : query_.words) {
    const auto term = lexical_.FindTerm(word.text);
    if (term) AccumulateTerm(*term, 1);
  }
  HitLists hits;
  for (const uint32_t doc : scratch_.touched) {
    const float score = scratch_.doc_scores[doc];
    scratch_.doc_scores[doc] = 0;
    if (accept_(doc)) Push(doc, score, hits);
  }
  return hits;
}

void SegmentSearch::PrefixByNames(IdRange names, HitLists& hits) const {
  for (uint32_t name = names.begin; name < names.end; ++name) {
    for (const uint32_t doc : lexical_.title_docs(name)) {
      if (accept_(doc)) Push(doc, segment_.popularity()[doc], hits);
    }
  }
}

void SegmentSearch::PrefixByPopularity(IdRange names, int count,
                                       HitLists& hits) const {
  for (uint8_t type = 0; type < kMaxDocumentTypes; ++type) {
    auto [doc, end] = segment_.TypeRange(type);
    end = std::min(end, doc + kMaxScannedDocs);
    for (int found = 0; doc < end && found < count; ++doc) {
      const uint32_t name = lexical_.title_names()[doc];
      if (name < names.begin || name >= names.end || !accept_(doc)) continue;
      Push(doc, segment_.popularity()[doc], hits);
      ++found;
    }
  }
}

// Documents with a later word that begins so: "beat" finds "The Beatles".
void SegmentSearch::PrefixByTerms(std::string_view prefix, int count,
                                  HitLists& hits) const {
  const IdRange terms = lexical_.TermPrefix(prefix);
  if (terms.size() > kMaxPrefixTerms) return;
  for (uint32_t term = terms.begin; term < terms.end; ++term) {
    const std::span<const uint32_t> docs = lexical_.postings(term).docs;
    for (uint8_t type = 0; type < kMaxDocumentTypes; ++type) {
      const auto [begin, end] = segment_.TypeRange(type);
      auto doc = std::lower_bound(docs.begin(), docs.end(), begin);
      for (int found = 0; doc != docs.end() && *doc < end && found < count;
           ++doc) {
        if (!accept_(*doc)) continue;
        Push(*doc, segment_.popularity()[*doc] - 1, hits);
        ++found;
      }
    }
  }
}

HitLists SegmentSearch::Prefix(int count) {
  HitLists hits;
  if (!query_.open || query_.normalized.empty()) return hits;
  const IdRange names = lexical_.NamePrefix(query_.normalized);
  if (names.size() <= kMaxRangeNames) {
    PrefixByNames(names, hits);
  } else {
    PrefixByPopularity(names, count, hits);
  }
  if (query_.words.size() == 1) PrefixByTerms(query_.normalized, count, hits);
  return hits;
}

// Numbers the hits of a leg and adds them to the candidates, sorted by doc.
void AddLeg(Leg leg, const std::vector<LegHit>& hits,
            std::vector<std::pair<Candidate, Leg>>& all) {
  for (size_t i = 0; i < hits.size(); ++i) {
    Candidate candidate{.doc = hits[i].doc};
    candidate.scores[static_cast<int>(leg)] = hits[i].score;
    candidate.ranks[static_cast<int>(leg)] =
        static_cast<uint16_t>(std::min<size_t>(i + 1, UINT16_MAX));
    all.emplace_back(candidate, leg);
  }
}

std::vector<Candidate> Merge(std::vector<std::pair<Candidate, Leg>> all) {
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.first.doc < b.first.doc;
  });
  std::vector<Candidate> candidates;
  for (const auto& [hit, leg] : all) {
    if (candidates.empty() || candidates.back().doc != hit.doc) {
      candidates.push_back(hit);
      continue;
    }
    const int i = static_cast<int>(leg);
    candidates.back().scores[i] = hit.scores[i];
    candidates.back().ranks[i] = hit.ranks[i];
  }
  return candidates;
}

}  // namespace

const char* Name(Leg leg) {
  constexpr std::array<const char*, kNumLegs> kNames = {"names", "prefix",
                                                        "words", "meaning"};
  return kNames[static_cast<int>(leg)];
}

std::vector<Candidate> Retrieve(const RetrieverConfig& config,
                                const Segment& segment, const Query& query,
                                std::span<const float> embedding,
                                const AcceptDoc& accept,
                                RetrieverScratch& scratch) {
  SegmentSearch search(segment, query, accept, scratch);
  std::vector<std::pair<Candidate, Leg>> all;
  const auto add = [&](Leg leg, HitLists lists, const auto& counts) {
    for (int type = 0; type < kMaxDocumentTypes; ++type) {
      KeepBest(lists[type], counts[type]);
      AddLeg(leg, lists[type], all);
    }
  };
  add(Leg::kNames, search.Names(), config.name_candidates);
  add(Leg::kPrefix, search.Prefix(config.other_candidates[0]),
      config.other_candidates);
  add(Leg::kWords, search.Words(), config.other_candidates);
  if (!embedding.empty() && segment.vectors() != nullptr) {
    VectorParams params;
    params.num_results = static_cast<size_t>(config.meaning_candidates);
    std::vector<LegHit> hits;
    for (const VectorHit& hit :
         segment.vectors()->Search(embedding, params, accept)) {
      hits.push_back({hit.item, hit.score});
    }
    AddLeg(Leg::kMeaning, hits, all);
  }
  return Merge(std::move(all));
}

std::vector<Candidate> RetrievePopular(const Segment& segment, int count,
                                       const AcceptDoc& accept) {
  std::vector<Candidate> candidates;
  for (uint8_t type = 0; type < kMaxDocumentTypes; ++type) {
    const auto [begin, end] = segment.TypeRange(type);
    int found = 0;
    for (uint32_t doc = begin; doc < end && found < count; ++doc) {
      if (!accept(doc)) continue;
      candidates.push_back({.doc = doc});
      ++found;
    }
  }
  return candidates;
}

std::vector<LegHit> RetrievePrefix(const Segment& segment, const Query& query,
                                   int count, const AcceptDoc& accept) {
  RetrieverScratch scratch;
  HitLists lists = SegmentSearch(segment, query, accept, scratch).Prefix(count);
  std::vector<LegHit> hits;
  for (std::vector<LegHit>& list : lists) {
    KeepBest(list, static_cast<size_t>(count));
    hits.insert(hits.end(), list.begin(), list.end());
  }
  return hits;
}

}  // namespace quaver
