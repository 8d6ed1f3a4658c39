// See retriever.h.
#include "quaver/search/retriever.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>

#include "quaver/text/normalize.h"
#include "quaver/text/terms.h"

namespace quaver {
namespace {

using HitLists = std::array<std::vector<LegHit>, kMaxDocumentTypes>;

// Of the n-gram score; popular documents win among equals.
constexpr float kPopularityPrior = 0.05f;
// Names whose documents are looked at.
constexpr size_t kMaxNames = 600;
// Documents looked at behind one name: above nearly all discographies.
constexpr size_t kMaxDocsPerName = 1000;
// Letters of words that are guessed at: longer ones keep enough n-grams.
constexpr int kLeastGuessed = 3;
constexpr int kMostGuessed = 10;
// Stems shorter than this have words of other meanings beside them.
constexpr size_t kLeastStem = 3;
constexpr float kOtherForm = 0.7f;  // of the IDF
// Words with at least this share of the rarest one's IDF propose documents.
constexpr float kCollectingIdf = 0.4f;
// A prefix range with more names than this is searched by popularity instead.
constexpr uint32_t kMaxRangeNames = 4096;
// Then at most this many documents are looked at, the most popular first.
constexpr uint32_t kMaxScannedDocs = 20'000;
constexpr uint32_t kMaxPrefixTerms = 256;
// Times what is kept: more are thinned out before they are sorted.
constexpr size_t kManyHits = 4;

bool Better(const LegHit& a, const LegHit& b) {
  return a.score != b.score ? a.score > b.score : a.doc < b.doc;
}

// Drops hits that are not among the best `count`, not always all of them: by
// buckets of scores, which costs less than to look for the last of the best.
void DropWeak(std::vector<LegHit>& hits, size_t count) {
  const auto [least, most] = std::minmax_element(
      hits.begin(), hits.end(),
      [](const LegHit& a, const LegHit& b) { return a.score < b.score; });
  const float low = least->score, width = most->score - least->score;
  if (width < 1e-6f) return;
  constexpr size_t kBuckets = 512;
  const float scale = (kBuckets - 1) / width;
  const auto bucket = [&](const LegHit& hit) {
    return static_cast<size_t>((hit.score - low) * scale);
  };
  std::array<uint32_t, kBuckets + 1> counts = {};  // one more for rounding
  for (const LegHit& hit : hits) ++counts[bucket(hit)];
  size_t last = kBuckets;
  for (size_t kept = counts[last]; kept < count; kept += counts[last]) --last;
  std::erase_if(hits, [&](const LegHit& hit) { return bucket(hit) < last; });
}

// Keeps the best `count` of a list, best first, each document once.
void KeepBest(std::vector<LegHit>& hits, size_t count) {
  // A document may stand twice (by its title and by its artist), equal.
  if (hits.size() > kManyHits * count) DropWeak(hits, 2 * count);
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

struct DocNames {
  uint32_t title;
  uint32_t artist;
};

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
  std::vector<Gram> GuessGrams() const;
  HitLists Words();
  HitLists Prefix(int count);

 private:
  void CollectNameDocs(std::span<const uint32_t> names,
                       std::vector<uint32_t>& docs) const;
  float NameScore(const NameScores& scores, const DocNames& names) const;
  void AccumulateTerm(uint32_t term, float weight, bool collect);
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
};

// The greatest cosine of the query with the title, the artist and both.
float SegmentSearch::NameScore(const NameScores& scores,
                               const DocNames& names) const {
  float title_sum = 0, title_norm = 0;
  float best = 0;
  if (names.title != kNoName) {
    title_sum = scores.sum(names.title);
    title_norm = lexical_.gram_norm(names.title);
    best = title_sum / title_norm;
  }
  if (names.artist != kNoName) {
    const float artist_sum = scores.sum(names.artist);
    const float artist_norm = lexical_.gram_norm(names.artist);
    best = std::max(best, artist_sum / artist_norm);
    // The two share few n-grams: as if they shared none.
    best = std::max(
        best, (title_sum + artist_sum) / std::sqrt(title_norm * title_norm +
                                                   artist_norm * artist_norm));
  }
  return std::min(1.0f, best / scores.norm());  // guesses may exceed it
}

// Documents with one of the names as title or artist, perhaps twice. Each loop
// here and in Names reads one array for all: waiting for the memory of one
// document after the other would take twice as long.
void SegmentSearch::CollectNameDocs(std::span<const uint32_t> names,
                                    std::vector<uint32_t>& docs) const {
  docs.clear();
  const auto add = [&](std::span<const uint32_t> more) {
    more = more.first(std::min(more.size(), kMaxDocsPerName));
    docs.insert(docs.end(), more.begin(), more.end());
  };
  for (const uint32_t name : names) add(lexical_.title_docs(name));
  for (const uint32_t name : names) add(lexical_.artist_docs(name));
  std::erase_if(docs, [this](uint32_t doc) { return !accept_(doc); });
}

// N-grams of catalogue words that differ from an unknown word of the query by
// two swapped letters or one letter too many. A short word with such a slip
// has hardly an n-gram in common with what was meant: "jstu", "msuic".
std::vector<Gram> SegmentSearch::GuessGrams() const {
  std::string words;
  const auto add = [&](const std::string& word) {
    if (lexical_.FindTerm(word)) words.append(1, ' ').append(word);
  };
  for (const QueryWord& word : query_.words) {
    if (word.length < kLeastGuessed || word.length > kMostGuessed ||
        lexical_.FindTerm(word.text)) {
      continue;
    }
    const std::u32string letters = ToCodePoints(word.text);
    for (size_t i = 0; i < letters.size(); ++i) {
      std::u32string guess = letters;
      add(ToUtf8(guess.erase(i, 1)));
      if (i + 1 == letters.size() || letters[i] == letters[i + 1]) continue;
      guess = letters;
      std::swap(guess[i], guess[i + 1]);
      add(ToUtf8(guess));
    }
  }
  std::vector<Gram> grams, guesses;
  if (words.empty()) return guesses;
  ExtractGrams(words.substr(1), grams);
  std::set_difference(grams.begin(), grams.end(), query_.grams.begin(),
                      query_.grams.end(), std::back_inserter(guesses));
  return guesses;
}

HitLists SegmentSearch::Names() {
  HitLists hits;
  NameScores scores(lexical_, query_.grams, GuessGrams(), scratch_.names);
  if (scores.norm() == 0) return hits;
  std::vector<uint32_t>& docs = scratch_.touched;
  CollectNameDocs(scores.Best(kMaxNames), docs);
  std::vector<DocNames> names;
  std::vector<float>& values = scratch_.values;
  names.reserve(docs.size());
  values.clear();
  for (const uint32_t doc : docs) {
    names.push_back(
        {lexical_.title_names()[doc], lexical_.artist_names()[doc]});
  }
  for (const uint32_t doc : docs) {
    values.push_back(kPopularityPrior * segment_.popularity()[doc]);
  }
  for (size_t i = 0; i < docs.size(); ++i) {
    values[i] += NameScore(scores, names[i]);
  }
  for (size_t i = 0; i < docs.size(); ++i) Push(docs[i], values[i], hits);
  return hits;
}

// Adds a term to the scores of its documents; appends new ones to `touched`
// where `collect`.
void SegmentSearch::AccumulateTerm(uint32_t term, float weight, bool collect) {
  const TermPostings postings = lexical_.postings(term);
  const size_t size = postings.docs.size();
  weight /= 255;
  if (!collect) {
    for (size_t i = 0; i < size; ++i) {
      float& score = scratch_.doc_scores[postings.docs[i]];
      if (score != 0) score += weight * postings.impacts[i];
    }
    return;
  }
  // Whether a document is new cannot be foretold: no branch.
  std::vector<uint32_t>& touched = scratch_.touched;
  size_t end = touched.size();
  touched.resize(end + size);
  for (size_t i = 0; i < size; ++i) {
    const uint32_t doc = postings.docs[i];
    float& score = scratch_.doc_scores[doc];
    touched[end] = doc;
    end += score == 0;
    score += weight * postings.impacts[i];
  }
  touched.resize(end);
}

// The terms that are a query's word in another form, with the word itself, and
// how much they count.
std::vector<std::pair<uint32_t, float>> WordForms(const LexicalIndex& lexical,
                                                  const std::string& word) {
  std::vector<std::pair<uint32_t, float>> forms;
  if (const auto term = lexical.FindTerm(word)) forms.emplace_back(*term, 1);
  const std::string stem = LightStem(word);
  if (stem.size() < kLeastStem) return forms;
  const auto add = [&](std::string form) {
    if (form == word || LightStem(form) != stem) return;
    if (const auto term = lexical.FindTerm(form)) {
      forms.emplace_back(*term, kOtherForm);
    }
  };
  for (const char* ending : {"", "e", "s", "es", "ed", "ing", "ings"}) {
    add(stem + ending);
  }
  for (const char* ending : {"ed", "ing"}) add(stem + stem.back() + ending);
  if (stem.back() == 'i') {
    const std::string head = stem.substr(0, stem.size() - 1);
    for (const char* ending : {"y", "ies", "ied", "ying"}) add(head + ending);
  }
  return forms;
}

// Documents that have none but the query's most frequent words are left out:
// "the" alone says nothing where a rarer word was typed, too.
HitLists SegmentSearch::Words() {
  scratch_.doc_scores.resize(segment_.num_documents(), 0);
  scratch_.touched.clear();
  std::vector<std::pair<float, uint32_t>> terms;  // by weight, rarest first
  for (const QueryWord& word : query_.words) {
    for (const auto& [term, share] : WordForms(lexical_, word.text)) {
      terms.emplace_back(share * lexical_.TermIdf(term), term);
    }
  }
  std::sort(terms.begin(), terms.end(), std::greater<>());
  for (const auto& [weight, term] : terms) {
    AccumulateTerm(term, weight, weight >= kCollectingIdf * terms[0].first);
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

// Numbers the hits of a leg and adds them to the candidates.
void AddLeg(Leg leg, const std::vector<LegHit>& hits,
            std::vector<Candidate>& all) {
  for (size_t i = 0; i < hits.size(); ++i) {
    Candidate candidate{.doc = hits[i].doc};
    candidate.scores[static_cast<int>(leg)] = hits[i].score;
    candidate.ranks[static_cast<int>(leg)] =
        static_cast<uint16_t>(std::min<size_t>(i + 1, UINT16_MAX));
    all.push_back(candidate);
  }
}

// By document, with what all legs say of it in one.
void Merge(std::vector<Candidate>& all) {
  std::sort(all.begin(), all.end(), [](const Candidate& a, const Candidate& b) {
    return a.doc < b.doc;
  });
  size_t kept = 0;
  for (const Candidate& hit : all) {
    if (kept == 0 || all[kept - 1].doc != hit.doc) {
      all[kept++] = hit;
      continue;
    }
    for (size_t leg = 0; leg < kNumLegs; ++leg) {
      if (hit.ranks[leg] == 0) continue;
      all[kept - 1].scores[leg] = hit.scores[leg];
      all[kept - 1].ranks[leg] = hit.ranks[leg];
    }
  }
  all.resize(kept);
}

}  // namespace

const char* Name(Leg leg) {
  constexpr std::array<const char*, kNumLegs> kNames = {"names", "prefix",
                                                        "words", "meaning"};
  return kNames[static_cast<int>(leg)];
}

std::vector<Candidate> RetrieveByWords(const RetrieverConfig& config,
                                       const Segment& segment,
                                       const Query& query,
                                       const AcceptDoc& accept,
                                       RetrieverScratch& scratch) {
  SegmentSearch search(segment, query, accept, scratch);
  std::vector<Candidate> all;
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
  Merge(all);
  return all;
}

std::vector<LegHit> RetrieveByMeaning(const RetrieverConfig& config,
                                      const Segment& segment,
                                      std::span<const float> embedding,
                                      const AcceptDoc& accept) {
  std::vector<LegHit> hits;
  if (embedding.empty() || segment.vectors() == nullptr) return hits;
  VectorParams params;
  params.num_results = static_cast<size_t>(config.meaning_candidates);
  for (const VectorHit& hit :
       segment.vectors()->Search(embedding, params, accept)) {
    hits.push_back({hit.item, hit.score});
  }
  return hits;
}

void AddMeaning(const std::vector<LegHit>& hits,
                std::vector<Candidate>& candidates) {
  AddLeg(Leg::kMeaning, hits, candidates);
  Merge(candidates);
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
