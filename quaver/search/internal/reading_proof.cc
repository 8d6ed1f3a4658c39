// See reading_proof.h.
#include "quaver/search/internal/reading_proof.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "quaver/search/features.h"
#include "quaver/search/word_readings.h"
#include "quaver/text/normalize.h"

namespace quaver {
namespace {

// Documents of the rarest word that are looked at, the most popular of each
// type first by the index's order.
constexpr size_t kMaxScanned = 512;
// Of the hits, whose names are compared.
constexpr size_t kMaxCompared = 8;
constexpr uint32_t kMaxPrefixTerms = 64;

// A reading's words in one segment.
struct SegmentWords {
  std::vector<std::optional<uint32_t>> terms;
  IdRange last;  // terms that the unfinished last word begins
};

SegmentWords FindWords(const LexicalIndex& lexical,
                       const std::vector<std::string_view>& words, bool open) {
  SegmentWords found;
  for (const std::string_view word : words) {
    found.terms.push_back(lexical.FindTerm(word));
  }
  if (open) found.last = lexical.TermPrefix(words.back());
  return found;
}

bool Has(std::span<const uint32_t> docs, uint32_t doc) {
  return std::binary_search(docs.begin(), docs.end(), doc);
}

// Whether a document has a term that the last word begins.
bool HasBeginning(const LexicalIndex& lexical, IdRange terms, uint32_t doc) {
  if (terms.size() > kMaxPrefixTerms) return true;
  for (uint32_t term = terms.begin; term < terms.end; ++term) {
    if (Has(lexical.postings(term).docs, doc)) return true;
  }
  return false;
}

// Documents that have all the words, at most kMaxHits.
std::vector<uint32_t> AllWords(const SnapshotSegment& part,
                               const SegmentWords& words) {
  const LexicalIndex& lexical = part.segment->lexical();
  std::vector<std::span<const uint32_t>> lists;
  bool beginning = false;  // the last word is only that
  for (size_t i = 0; i < words.terms.size(); ++i) {
    if (words.terms[i]) {
      lists.push_back(lexical.postings(*words.terms[i]).docs);
    } else if (i + 1 == words.terms.size() && words.last.size() > 0) {
      beginning = true;
    } else {
      return {};
    }
  }
  if (lists.empty()) {
    if (words.last.size() == 0) return {};
    lists.push_back(lexical.postings(words.last.begin).docs);
  }
  std::sort(lists.begin(), lists.end(),
            [](const auto& a, const auto& b) { return a.size() < b.size(); });
  std::vector<uint32_t> hits;
  const auto scanned = lists[0].first(std::min(lists[0].size(), kMaxScanned));
  for (const uint32_t doc : scanned) {
    if (hits.size() == kMaxHits) break;
    const bool all =
        part.Alive(doc) &&
        std::all_of(lists.begin() + 1, lists.end(),
                    [doc](const auto& list) { return Has(list, doc); }) &&
        (!beginning || HasBeginning(lexical, words.last, doc));
    if (all) hits.push_back(doc);
  }
  return hits;
}

// One reading against one document's title and artist.
class NameCheck {
 public:
  NameCheck(const Segment& segment, const std::vector<std::string_view>& words,
            const SegmentWords& found, std::string_view text)
      : segment_(segment),
        lexical_(segment.lexical()),
        words_(words),
        found_(found),
        text_(text) {}

  Proof Check(const Place& place) const {
    Proof proof;
    std::vector<uint32_t> terms;
    const uint32_t title = lexical_.title_names()[place.doc];
    const uint32_t artist = lexical_.artist_names()[place.doc];
    float covered = 0, length = 0;
    for (const uint32_t name : {title, artist}) {
      if (name == kNoName) continue;
      for (const uint32_t term : lexical_.name_terms(name)) {
        const auto letters = static_cast<float>(lexical_.term(term).size());
        length += letters;
        if (IsRead(term)) covered += letters;
        terms.push_back(term);
      }
    }
    float explained = 0, total = 0;
    proof.whole_words = true;
    for (size_t i = 0; i < words_.size(); ++i) {
      const auto letters = static_cast<float>(words_[i].size());
      total += letters;
      const bool is_word = HasWord(terms, i);
      proof.whole_words = proof.whole_words && is_word;
      if (is_word || HasBeginning(terms, i)) explained += letters;
    }
    proof.explained = total > 0 ? explained / total : 0;
    proof.covered = length > 0 ? covered / length : 0;
    proof.popularity_tail = PopularTail(segment_.popularity()[place.doc]);
    proof.exact = proof.explained == 1 && IsName(title, artist);
    return proof;
  }

 private:
  bool InLast(uint32_t term) const {
    return term >= found_.last.begin && term < found_.last.end;
  }
  bool IsRead(uint32_t term) const {
    return InLast(term) || std::find(found_.terms.begin(), found_.terms.end(),
                                     term) != found_.terms.end();
  }
  bool HasWord(const std::vector<uint32_t>& terms, size_t i) const {
    return found_.terms[i] && std::find(terms.begin(), terms.end(),
                                        *found_.terms[i]) != terms.end();
  }
  bool HasBeginning(const std::vector<uint32_t>& terms, size_t i) const {
    return i + 1 == words_.size() &&
           std::any_of(terms.begin(), terms.end(),
                       [this](uint32_t term) { return InLast(term); });
  }
  bool IsName(uint32_t title, uint32_t artist) const {
    const std::string_view t = title == kNoName ? "" : lexical_.name(title);
    const std::string_view a = artist == kNoName ? "" : lexical_.name(artist);
    if (text_ == t || text_ == a) return true;
    const auto joins = [this](std::string_view first, std::string_view second) {
      return text_.size() == first.size() + 1 + second.size() &&
             text_.starts_with(first) && text_.ends_with(second);
    };
    return joins(t, a) || joins(a, t);
  }

  const Segment& segment_;
  const LexicalIndex& lexical_;
  const std::vector<std::string_view>& words_;
  const SegmentWords& found_;
  std::string_view text_;
};

// How well a document explains a reading.
float Weight(const Proof& proof) {
  return 4 * proof.explained + (proof.whole_words ? 1 : 0) +
         (proof.exact ? 0.5f : 0) + 0.5f * proof.covered +
         0.5f * proof.popularity_tail;
}

void KeepBetter(const Proof& other, Proof& proof) {
  if (Weight(other) > Weight(proof)) {
    const Proof old = proof;
    proof = other;
    proof.hits = old.hits;
    proof.known = old.known;
    proof.rarest = old.rarest;
  }
}

void CountKnown(const Snapshot& snapshot,
                const std::vector<std::string_view>& words, bool open,
                Proof& proof) {
  float known = 0, total = 0;
  proof.rarest = 9;
  for (size_t i = 0; i < words.size(); ++i) {
    const auto letters = static_cast<float>(words[i].size());
    const uint32_t documents = WordDocuments(snapshot, words[i]);
    const bool begins =
        open && i + 1 == words.size() && BeginsWord(snapshot, words[i]);
    total += letters;
    if (documents > 0 || begins) known += letters;
    if (begins) continue;
    proof.rarest = std::min(proof.rarest,
                            std::log10(1.0f + static_cast<float>(documents)));
  }
  if (proof.rarest == 9) proof.rarest = 0;
  proof.known = total > 0 ? known / total : 0;
}

}  // namespace

void Prove(const Snapshot& snapshot, std::span<const Place> near, bool open,
           std::span<Reading> readings) {
  for (Reading& reading : readings) {
    const std::vector<std::string_view> words = SplitWords(reading.text);
    reading.proof = {};
    if (words.empty()) continue;
    CountKnown(snapshot, words, open, reading.proof);
    for (size_t p = 0; p < snapshot.segments.size(); ++p) {
      const SnapshotSegment& part = snapshot.segments[p];
      const SegmentWords found =
          FindWords(part.segment->lexical(), words, open);
      const NameCheck check(*part.segment, words, found, reading.text);
      const std::vector<uint32_t> hits = AllWords(part, found);
      reading.proof.hits = std::min(
          kMaxHits, reading.proof.hits + static_cast<int>(hits.size()));
      for (size_t i = 0; i < std::min(hits.size(), kMaxCompared); ++i) {
        KeepBetter(check.Check({.part = p, .doc = hits[i]}), reading.proof);
      }
      for (const Place& place : near) {
        if (place.part == p) KeepBetter(check.Check(place), reading.proof);
      }
    }
  }
}

}  // namespace quaver
