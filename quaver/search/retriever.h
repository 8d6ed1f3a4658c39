// Candidates of one segment: what each leg proposes for a query.
//
// Legs: *names* (n-grams of titles, artists and both; survives misspellings),
// *prefix* (names and words that begin with the query), *words* (BM25F over
// all fields), *meaning* (nearest vectors).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "quaver/index/name_scores.h"
#include "quaver/index/snapshot.h"
#include "quaver/search/query.h"

namespace quaver {

enum class Leg { kNames, kPrefix, kWords, kMeaning };
inline constexpr int kNumLegs = 4;
const char* Name(Leg leg);

// A document that a leg proposes. Scores of different legs do not compare.
struct LegHit {
  uint32_t doc = 0;
  float score = 0;
};

// A document with what each leg says of it; rank 0: not proposed.
struct Candidate {
  uint32_t doc = 0;
  std::array<float, kNumLegs> scores = {};
  std::array<uint16_t, kNumLegs> ranks = {};
};

// Arrays as large as a segment, reused between calls. One a thread.
struct RetrieverScratch {
  NameScoreArrays names;
  std::vector<float> doc_scores;  // [num_documents]
  std::vector<uint32_t> touched;
  std::vector<float> values;  // of what was touched
};

// Whether a document may be returned.
using AcceptDoc = std::function<bool(uint32_t doc)>;

struct RetrieverConfig {
  // Candidates of the names leg and of the others, by type (catalogue order:
  // track, artist, album, show, episode, playlist).
  std::array<int, 8> name_candidates = {160, 20, 20, 20, 20, 10, 0, 0};
  std::array<int, 8> other_candidates = {40, 20, 20, 30, 30, 20, 0, 0};
  int meaning_candidates = 64;
};

// The candidates of all legs but meaning, by rising document number, each once.
// Costs about 1 ms for 400,000 documents.
std::vector<Candidate> RetrieveByWords(const RetrieverConfig& config,
                                       const Segment& segment,
                                       const Query& query,
                                       const AcceptDoc& accept,
                                       RetrieverScratch& scratch);
// What the leg meaning proposes, best first; nothing for an empty embedding or
// a segment without vectors.
std::vector<LegHit> RetrieveByMeaning(const RetrieverConfig& config,
                                      const Segment& segment,
                                      std::span<const float> embedding,
                                      const AcceptDoc& accept);
// Adds that to the candidates, in their order.
void AddMeaning(const std::vector<LegHit>& hits,
                std::vector<Candidate>& candidates);

// The `count` most popular documents of each type, for an empty query.
std::vector<Candidate> RetrievePopular(const Segment& segment, int count,
                                       const AcceptDoc& accept);

// The prefix leg alone, for suggestions: entities with a name that begins with
// the query, the most popular first, at most `count` a type.
std::vector<LegHit> RetrievePrefix(const Segment& segment, const Query& query,
                                   int count, const AcceptDoc& accept);

}  // namespace quaver
