// See word_readings.h.
#include "quaver/search/word_readings.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "quaver/index/near_terms.h"
#include "quaver/text/typing.h"

namespace quaver {
namespace {

// Words in fewer documents are other people's mistakes.
constexpr uint32_t kLeastKnown = 2;
// Parts of a split word are frequent.
constexpr uint32_t kLeastPart = 20;
constexpr size_t kMaxGuesses = 3;
// Words that are guessed at: two edits for long ones.
constexpr int kLeastLetters = 3;
constexpr int kTwoEdits = 6;
constexpr size_t kMaxGuessedBytes = 32;
// An edit is worth as much as a word ten times as frequent.
constexpr float kEditCost = 1.0f;
constexpr float kSoundDiscount = 0.5f;
// Words that sound the same are near however they are written.
constexpr float kMaxAlikeEdits = 1.0f;
constexpr size_t kMaxAlike = 8;  // the most frequent ones of a segment
// A known word may be meant for one that sounds the same and is so many times
// as frequent: "nite" for "night".
constexpr uint32_t kAlikeFarLikelier = 20;
constexpr float kPairCost = 1.0f;

// A text for words [begin, begin + take) of the query.
struct Guess {
  std::string text;
  size_t take = 1;
  float cost = 0;
};

bool Cheaper(const Guess& a, const Guess& b) { return a.cost < b.cost; }

class WordReader {
 public:
  WordReader(const Snapshot& snapshot, const Query& query)
      : snapshot_(snapshot), query_(query) {}

  // What a word of the query may be, cheapest first; a known one itself first.
  std::vector<Guess> Guesses(size_t i) const {
    const QueryWord& word = query_.words[i];
    const uint32_t documents = WordDocuments(snapshot_, word.text);
    const bool begins = query_.open && i + 1 == query_.words.size() &&
                        BeginsWord(snapshot_, word.text);
    if (documents < kLeastKnown && !begins) return UnknownGuesses(i);
    return KnownGuesses(word, documents);
  }

 private:
  using Terms = std::map<std::string_view, uint32_t>;  // to their documents

  std::vector<Guess> UnknownGuesses(size_t i) const {
    const QueryWord& word = query_.words[i];
    std::vector<Guess> guesses;
    AddNear(word, guesses);
    AddSplits(word, guesses);
    if (i + 1 < query_.words.size()) AddJoined(i, guesses);
    std::stable_sort(guesses.begin(), guesses.end(), Cheaper);
    if (guesses.size() > kMaxGuesses) guesses.resize(kMaxGuesses);
    return guesses;
  }

  // The word itself and what sounds like it and is far more frequent; nothing
  // when nothing is.
  std::vector<Guess> KnownGuesses(const QueryWord& word,
                                  uint32_t documents) const {
    std::vector<Guess> guesses;
    if (!CanGuess(word)) return guesses;
    Terms alike;
    AddAlike(word, alike);
    std::erase_if(alike, [documents](const auto& term) {
      return term.second / kAlikeFarLikelier < documents;
    });
    AddTerms(word, alike, guesses);
    if (guesses.empty()) return guesses;
    std::stable_sort(guesses.begin(), guesses.end(), Cheaper);
    if (guesses.size() >= kMaxGuesses) guesses.resize(kMaxGuesses - 1);
    guesses.insert(guesses.begin(), {word.text, 1, Rareness(documents)});
    return guesses;
  }

  float Rareness(uint32_t documents) const {
    return 6 - std::log10(1.0f + static_cast<float>(documents));
  }

  bool CanGuess(const QueryWord& word) const {
    return word.length >= kLeastLetters && word.text.size() <= kMaxGuessedBytes;
  }

  void AddNear(const QueryWord& word, std::vector<Guess>& guesses) const {
    if (!CanGuess(word)) return;
    const int max_edits = word.length < kTwoEdits ? 1 : 2;
    Terms near;
    for (const SnapshotSegment& part : snapshot_.segments) {
      const LexicalIndex& lexical = part.segment->lexical();
      for (const NearTerm& term : NearTerms(lexical, word.text, max_edits)) {
        near[lexical.term(term.term)] +=
            static_cast<uint32_t>(lexical.postings(term.term).docs.size());
      }
    }
    AddAlike(word, near);
    AddTerms(word, near, guesses);
  }

  void AddAlike(const QueryWord& word, Terms& terms) const {
    for (const SnapshotSegment& part : snapshot_.segments) {
      const LexicalIndex& lexical = part.segment->lexical();
      for (const uint32_t id :
           part.segment->sounds().Alike(word.text, kMaxAlike)) {
        const std::string_view term = lexical.term(id);
        terms.try_emplace(term, WordDocuments(snapshot_, term));
      }
    }
  }

  void AddTerms(const QueryWord& word, const Terms& terms,
                std::vector<Guess>& guesses) const {
    const std::string sound = SoundForm(word.text);
    for (const auto& [text, documents] : terms) {
      if (documents < kLeastKnown || text == word.text) continue;
      float edits = KeyDistance(word.text, text);
      if (SoundForm(text) == sound) {
        edits = std::min(edits * kSoundDiscount, kMaxAlikeEdits);
      }
      guesses.push_back(
          {std::string(text), 1, kEditCost * edits + Rareness(documents)});
    }
  }

  void AddSplits(const QueryWord& word, std::vector<Guess>& guesses) const {
    for (size_t at = 1; at < word.text.size(); ++at) {
      if ((word.text[at] & 0xC0) == 0x80) continue;
      const std::string first = word.text.substr(0, at);
      const std::string second = word.text.substr(at);
      const uint32_t least = std::min(WordDocuments(snapshot_, first),
                                      WordDocuments(snapshot_, second));
      if (least < kLeastPart) continue;
      guesses.push_back({first + " " + second, 1, kPairCost + Rareness(least)});
    }
  }

  void AddJoined(size_t i, std::vector<Guess>& guesses) const {
    const std::string& joined = query_.joined[i].text;
    const uint32_t documents = WordDocuments(snapshot_, joined);
    if (documents < kLeastKnown) return;
    // Two words are explained at the price of one.
    guesses.push_back({joined, 2, Rareness(documents) - kPairCost});
  }

  const Snapshot& snapshot_;
  const Query& query_;
};

// The query with one guess for each unknown word; guess `other` of word `at`.
std::string Write(const Query& query,
                  const std::vector<std::vector<Guess>>& guesses, size_t at,
                  size_t other) {
  std::string text;
  for (size_t i = 0; i < query.words.size();) {
    size_t take = 1;
    std::string_view word = query.words[i].text;
    if (!guesses[i].empty()) {
      const Guess& guess = guesses[i][i == at ? other : 0];
      word = guess.text;
      take = guess.take;
    }
    if (!text.empty()) text += ' ';
    text += word;
    i += take;
  }
  return text;
}

}  // namespace

uint32_t WordDocuments(const Snapshot& snapshot, std::string_view word) {
  uint32_t documents = 0;
  for (const SnapshotSegment& part : snapshot.segments) {
    const LexicalIndex& lexical = part.segment->lexical();
    if (const auto term = lexical.FindTerm(word)) {
      documents += static_cast<uint32_t>(lexical.postings(*term).docs.size());
    }
  }
  return documents;
}

bool BeginsWord(const Snapshot& snapshot, std::string_view prefix) {
  return std::any_of(
      snapshot.segments.begin(), snapshot.segments.end(),
      [&](const SnapshotSegment& part) {
        return part.segment->lexical().TermPrefix(prefix).size() > 0;
      });
}

std::vector<std::string> ReadAsWords(const Snapshot& snapshot,
                                     const Query& query, size_t max_readings) {
  const WordReader reader(snapshot, query);
  std::vector<std::vector<Guess>> guesses(query.words.size());
  std::vector<std::pair<float, std::pair<size_t, size_t>>> others;
  bool any = false;
  for (size_t i = 0; i < query.words.size(); ++i) {
    guesses[i] = reader.Guesses(i);
    any = any || !guesses[i].empty();
    for (size_t g = 1; g < guesses[i].size(); ++g) {
      others.push_back({guesses[i][g].cost - guesses[i][0].cost, {i, g}});
    }
  }
  std::vector<std::string> readings;
  if (!any || max_readings == 0) return readings;
  std::string first = Write(query, guesses, query.words.size(), 0);
  if (first != query.normalized) readings.push_back(std::move(first));
  std::stable_sort(others.begin(), others.end());
  for (const auto& [cost, other] : others) {
    if (readings.size() == max_readings) break;
    readings.push_back(Write(query, guesses, other.first, other.second));
  }
  return readings;
}

}  // namespace quaver
