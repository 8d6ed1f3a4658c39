// The ranking function: one score for candidates of all legs.
//
// A weighted sum of features in [0, 1]; the weights are fitted on simulated
// queries (`quaver eval fit-ranker`) and kept in rank_weights.h.
#pragma once

#include <array>
#include <cstdint>
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
  kPopularity,   // share of its type that is less popular
  kPopularTail,  // -log10 of what is left above it, / 6
  kBm25,         // BM25F, as a share of the best possible
  kMeaning,      // cosine of the vectors
  kBroken,       // share of query words that match nothing well
  kBroadBm25,    // kBm25 and kMeaning times the query's breadth: where no name
  kBroadMeaning  // answers, words and meaning decide
};
inline constexpr int kNumFeatures = 14;
std::string_view Name(Feature feature);

using Features = std::array<float, kNumFeatures>;

// The features of a segment's candidates, in their order. `embedding` may be
// empty. Costs about 1.5 us a candidate.
std::vector<Features> ExtractFeatures(const Segment& segment,
                                      const Query& query,
                                      std::span<const float> embedding,
                                      std::span<const Candidate> candidates);

// How little a query is a name, in [0, 1]: 0 when some candidate is named
// nearly so, 1 when none is near. `nearness` is the greatest Nearness().
float Breadth(float nearness);
// How near a candidate's name is to the query: mean of kWords and kWhole.
float Nearness(const Features& features);
// Sets kBroadBm25 and kBroadMeaning.
void SetBreadth(float breadth, Features& features);

// The fitted weighted sum.
float RankScore(const Features& features);

}  // namespace quaver
