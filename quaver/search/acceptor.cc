// See acceptor.h.
#include "quaver/search/acceptor.h"

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "quaver/text/normalize.h"

namespace quaver {
namespace {

using TypeSet = std::array<bool, kMaxDocumentTypes>;

struct Conditions {
  TypeSet types = {};
  bool any_genre = true;
  std::vector<bool> genres;  // by genre number of the segment
  bool any_artist = true;
  std::vector<bool> artists;  // by name number of the segment
  bool any_year = true;
  int min_year = INT16_MIN;
  int max_year = INT16_MAX;
};

bool Contains(const std::vector<std::string>& values, std::string_view value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

TypeSet AcceptedTypes(const Filter& filter,
                      const std::vector<EntityType>& types) {
  TypeSet accepted = {};
  for (int type = 0; type < kNumEntityTypes; ++type) {
    const auto entity_type = static_cast<EntityType>(type);
    const bool asked = types.empty() || std::find(types.begin(), types.end(),
                                                  entity_type) != types.end();
    const bool passes =
        filter.types.empty() || Contains(filter.types, Name(entity_type));
    accepted[type] = asked && passes;
  }
  return accepted;
}

Conditions Prepare(const Segment& segment, const Filter& filter,
                   const std::vector<EntityType>& types) {
  Conditions conditions;
  conditions.types = AcceptedTypes(filter, types);
  conditions.any_genre = filter.genres.empty();
  if (!conditions.any_genre) {
    for (const std::string_view genre : segment.genre_names()) {
      conditions.genres.push_back(Contains(filter.genres, Normalize(genre)));
    }
  }
  conditions.any_artist = filter.artists.empty();
  if (!conditions.any_artist) {
    const LexicalIndex& lexical = segment.lexical();
    conditions.artists.resize(lexical.num_names());
    for (const std::string& artist : filter.artists) {
      const IdRange names = lexical.NamePrefix(artist);
      if (names.size() > 0 && lexical.name(names.begin) == artist) {
        conditions.artists[names.begin] = true;
      }
    }
  }
  conditions.any_year = !filter.min_year && !filter.max_year;
  conditions.min_year = filter.min_year.value_or(INT16_MIN);
  conditions.max_year = filter.max_year.value_or(INT16_MAX);
  return conditions;
}

bool Passes(const Conditions& conditions, const Segment& segment,
            uint32_t doc) {
  if (!conditions.types[segment.types()[doc]]) return false;
  if (!conditions.any_genre && !conditions.genres[segment.genres()[doc]]) {
    return false;
  }
  if (!conditions.any_artist) {
    const uint32_t artist = segment.lexical().artist_names()[doc];
    if (artist == kNoName || !conditions.artists[artist]) return false;
  }
  const int year = segment.years()[doc];
  return conditions.any_year || (year != 0 && year >= conditions.min_year &&
                                 year <= conditions.max_year);
}

}  // namespace

AcceptDoc MakeAcceptor(const SnapshotSegment& part, const Filter& filter,
                       const std::vector<EntityType>& types) {
  const Segment& segment = *part.segment;
  const Tombstones* deleted = part.deleted.get();
  if (filter.accepts_all() && types.empty()) {
    if (deleted == nullptr) return [](uint32_t) { return true; };
    return [deleted](uint32_t doc) { return !deleted->Has(doc); };
  }
  const auto conditions =
      std::make_shared<const Conditions>(Prepare(segment, filter, types));
  return [conditions, &segment, deleted](uint32_t doc) {
    return (deleted == nullptr || !deleted->Has(doc)) &&
           Passes(*conditions, segment, doc);
  };
}

}  // namespace quaver
