// Do broad queries ("upbeat music to run to") bring what fits them?
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/base/status.h"
#include "quaver/catalogue/entity.h"
#include "quaver/eval/search_eval.h"
#include "quaver/eval/statistics.h"

namespace quaver {

// A query and a property that right hits have.
struct BroadQuery {
  std::string query;
  EntityType type = EntityType::kTrack;  // only these hits are looked at
  std::vector<std::string> genres;       // a hit's genre names one of them
};

// A TSV file with a heading: query, field ("track.genre", "show.genre", ...),
// values (separated by '|'). InvalidArgument naming the line.
absl::StatusOr<std::vector<BroadQuery>> ReadBroadQueries(
    const std::string& path);

struct BroadRow {
  std::string query;
  int hits = 0;  // of the type, at most ten
  int right = 0;
  int known = 0;  // have a genre at all
};

struct BroadReport {
  std::vector<BroadRow> rows;
  Interval precision_at_10;  // right of ten; a hit without a genre is wrong
  Interval of_known;         // right of those of the ten with a genre
};

// Whether a genre's comparable form holds one of the values as whole words.
bool NamesGenre(const std::string& genre,
                const std::vector<std::string>& values);

absl::StatusOr<BroadReport> RunBroadEval(const std::vector<BroadQuery>& queries,
                                         const SearchVariant& variant,
                                         uint64_t seed = 1);

nlohmann::json ToJson(const BroadReport& report);
std::string ToMarkdown(const BroadReport& report);

}  // namespace quaver
