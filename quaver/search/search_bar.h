// The search bar: a typed query in, sections of hits out.
//
//   SearchBar bar(config, registry, snapshots);
//   ASSIGN_OR_RETURN(SearchResponse answer, bar.Search({.query = "hey jude"}));
//
// normalise -> retrieve -> correct -> meaning -> rank; each stage is a file of
// this room.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/catalogue/entity.h"
#include "quaver/index/snapshot.h"
#include "quaver/sched/servable.h"
#include "quaver/search/correction.h"
#include "quaver/search/filter.h"

namespace quaver {

inline constexpr size_t kMaxQueryBytes = 1024;  // the rest is ignored
inline constexpr int kMaxLimit = 100;           // hits a section
inline constexpr int kMaxOffset = 1000;

struct SearchRequest {
  std::string query;              // any bytes
  std::vector<EntityType> types;  // empty: all
  int limit = 10;                 // hits a section, 1 to kMaxLimit
  int offset = 0;                 // of each section, 0 to kMaxOffset
  Filter filter;                  // accepts everything by default
  bool facets = false;            // count types, genres and years
  bool explain = false;           // rank and score of each leg
  bool meaning = true;            // false: words alone, nothing is encoded
  bool correct = true;            // false: the query is meant as it stands
  bool gate = true;               // false: as CorrectOptions::gate
  // The models are asked with it; what it points to outlives the search.
  CallOptions call;
};

// Bytes [begin, end) of a field's text that the query matched.
struct Highlight {
  std::string field;  // "title", "artist", "album"
  uint32_t begin = 0;
  uint32_t end = 0;
};

// Where a retrieval leg ("names", "words", "prefix", "meaning") had the hit.
struct LegScore {
  std::string leg;
  int rank = 0;  // from 1
  double score = 0;
};

struct Hit {
  EntityType type = EntityType::kTrack;
  std::string id;
  std::string title;
  std::string artist;
  std::string album;
  std::string genre;
  std::string description;
  int year = 0;           // 0: not known
  double popularity = 0;  // [0, 1], the share of its type that is less popular
  double score = 0;       // of the ranking function; comparable in one answer
  std::vector<Highlight> highlights;
  // With explain: legs, and the ranking function's features by name.
  std::vector<LegScore> legs;
  std::vector<std::pair<std::string, double>> features;
};

struct Section {
  EntityType type = EntityType::kTrack;
  int64_t num_matches = 0;  // candidates above the cut, before paging
  std::vector<Hit> hits;    // best first
};

struct FacetCount {
  std::string value;
  int64_t count = 0;
};

struct SearchResponse {
  std::string query;              // as given, cut and cleaned
  Correction correction;          // what was searched for instead, if so
  std::optional<Hit> best;        // the best match over all sections
  std::vector<Section> sections;  // best section first, empty ones left out
  // "type", "genre", "year" -> counts over the candidates, greatest first.
  std::map<std::string, std::vector<FacetCount>> facets;
  // "normalise", "retrieve", "correct", "meaning", "rank", "total" ->
  // microseconds; the total has the wait for a core as well.
  std::vector<std::pair<std::string, int64_t>> timing_us;
};

struct Suggestion {
  std::string text;  // what the search bar is filled with
  EntityType type = EntityType::kTrack;
  std::string id;
  std::string title;
  std::string artist;
  bool completion = true;  // false: near in meaning
  double score = 0;
  std::vector<Highlight> highlights;  // of the title
};

struct SearchConfig {
  std::string encoder = "encoder";  // the servable's name; "" for none
  std::string corrector;            // likewise; "": no model corrects
  int num_suggestions = 8;
};

using SnapshotSource = std::function<std::shared_ptr<const Snapshot>()>;

// Thread-safe; a call allocates what its answer needs, holds one snapshot, and
// computes on one core of base/cores.h, which it first waits for.
class SearchBar {
 public:
  // Unavailable when the encoder is named but missing from the registry. Runs
  // one search, so that the first user's is as fast as the next.
  static absl::StatusOr<std::unique_ptr<SearchBar>> Create(
      SearchConfig config, const ServableRegistry& registry,
      SnapshotSource snapshots);
  ~SearchBar();

  // An empty query gives the most popular entities. InvalidArgument naming the
  // field for limits out of range. DeadlineExceeded or Cancelled, before the
  // next stage, once nobody can use the answer any more.
  absl::StatusOr<SearchResponse> Search(const SearchRequest& request) const;

  // What Search would make of the query's spelling. Never fails on a query,
  // whatever its bytes; errors are the model's and those of options.call.
  absl::StatusOr<Correction> Correct(const std::string& query,
                                     const CorrectOptions& options = {}) const;

  // Of the query as it was meant, where no name begins as it was typed. At most
  // config.num_suggestions; none for an empty prefix.
  absl::StatusOr<std::vector<Suggestion>> Suggest(
      const std::string& prefix, const CallOptions& call = {}) const;

 private:
  struct Impl;
  explicit SearchBar(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quaver
