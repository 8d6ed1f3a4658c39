// Reads the collections of relevance_eval.h.
#include <algorithm>
#include <unordered_map>

#include "quaver/base/hash.h"
#include "quaver/eval/relevance_eval.h"
#include "quaver/eval/tsv.h"

namespace quaver {
namespace {

using Values = std::vector<std::string_view>;

std::string MakeId(EntityType type, std::string_view key) {
  return fmt::format("{}:{}", Name(type), key);
}

absl::Status ReadDocuments(const std::string& path,
                           JudgedCollection& collection) {
  return ForEachNamedRow(
      path, {"doc_id", "title", "text"}, [&](const Values& values) {
        std::string_view text = values[2];
        // The text begins with the title, which would count twice.
        if (text.starts_with(values[1])) text.remove_prefix(values[1].size());
        collection.entities.push_back({.type = collection.type,
                                       .id = MakeId(collection.type, values[0]),
                                       .title = std::string(values[1]),
                                       .description = std::string(text)});
        return absl::OkStatus();
      });
}

}  // namespace

absl::StatusOr<JudgedCollection> ReadCranfield(const std::string& folder) {
  JudgedCollection collection;
  RETURN_IF_ERROR(ReadDocuments(folder + "/docs.tsv", collection));
  std::unordered_map<std::string, size_t> query_of;
  RETURN_IF_ERROR(ForEachNamedRow(
      folder + "/queries.tsv", {"query_id", "text"}, [&](const Values& values) {
        query_of[std::string(values[0])] = collection.queries.size();
        collection.queries.push_back({std::string(values[1]), {}});
        return absl::OkStatus();
      }));
  RETURN_IF_ERROR(ForEachNamedRow(
      folder + "/qrels.tsv", {"query_id", "doc_id", "code"},
      [&](const Values& values) -> absl::Status {
        ASSIGN_OR_RETURN(const double code, ParseNumber(values[2]));
        const auto query = query_of.find(std::string(values[0]));
        if (query == query_of.end()) {
          return absl::InvalidArgumentError(
              fmt::format("no query has the id '{}'", values[0]));
        }
        if (code < 1 || code > 4) return absl::OkStatus();
        collection.queries[query->second]
            .gains[MakeId(collection.type, values[1])] = 5 - code;
        return absl::OkStatus();
      }));
  return collection;
}

absl::StatusOr<JudgedCollection> ReadDescribedTracks(const std::string& path,
                                                     size_t num_queries,
                                                     uint64_t seed) {
  JudgedCollection collection = {.type = EntityType::kTrack};
  std::vector<JudgedQuery> queries;
  RETURN_IF_ERROR(ForEachNamedRow(
      path, {"id", "title", "composer", "album", "genre", "description"},
      [&](const Values& values) {
        Entity track = {.type = EntityType::kTrack,
                        .id = MakeId(EntityType::kTrack, values[0]),
                        .title = std::string(values[1]),
                        .artist = std::string(values[2]),
                        .album = std::string(values[3]),
                        .genre = std::string(values[4])};
        if (!values[5].empty()) {
          queries.push_back({std::string(values[5]), {{track.id, 1.0}}});
        }
        collection.entities.push_back(std::move(track));
        return absl::OkStatus();
      }));
  Random random(seed);
  const size_t count = std::min(num_queries, queries.size());
  for (size_t i = 0; i < count; ++i) {
    std::swap(queries[i], queries[i + random.Below(queries.size() - i)]);
  }
  queries.resize(count);
  collection.queries = std::move(queries);
  return collection;
}

}  // namespace quaver
