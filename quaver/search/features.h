// What speaks for a candidate: features in [0, 1], the ranking function's
// input.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "quaver/index/segment.h"
#include "quaver/search/query.h"
#include "quaver/search/retriever.h"

namespace quaver {

enum class Feature {
  kWords,        // query words found in title and artist, by edit similarity
  kWhole,        // whole query against title, artist and both, either order
  kWholeOpen,    // the same against their beginnings, for an unfinished query
  kTitle,        // title words found in the query
  kArtist,       // artist words found in the query
  kNames,        // n-gram cosine
  kExact,        // the query is the title, the artist or both
  kFame,         // kArtist times log10(the artist's documents / 4) / 2, within
                 // [0, 1]: who types a name mostly means whom many know
  kPopularTail,  // -log10 of what is left above it, / 6
  kBm25,         // BM25F, as a share of the best possible
  kMeaning,      // cosine of the vectors
  kBroken,       // share of query words that match nothing well
  kGenre,        // genre words found in the query, times the share of the query
                 // that they are
  // Times the query's breadth: where no name answers, these decide.
  kBroadBm25,     // kBm25 as a share of the best candidate's
  kBroadMeaning,  // kMeaning, likewise
  kBroadGenre     // genre words found in the query
};
inline constexpr int kNumFeatures = 16;
std::string_view Name(Feature feature);

// kPopularTail of a popularity in [0, 1].
float PopularTail(float popularity);

using Features = std::array<float, kNumFeatures>;

// The features of a segment's candidates, in their order. `embedding` may be
// empty. Costs about 1.5 us a candidate.
std::vector<Features> ExtractFeatures(const Segment& segment,
                                      const Query& query,
                                      std::span<const float> embedding,
                                      std::span<const Candidate> candidates);

}  // namespace quaver
