// What can be found: tracks, artists, albums, shows, episodes, playlists.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"

namespace quaver {

enum class EntityType : uint8_t {
  kTrack,
  kArtist,
  kAlbum,
  kShow,
  kEpisode,
  kPlaylist
};
inline constexpr int kNumEntityTypes = 6;

// "track", "artist", ...
std::string_view Name(EntityType type);
// InvalidArgument listing the names there are.
absl::StatusOr<EntityType> ParseEntityType(std::string_view name);

// One entity, in the text its owner wrote. Text is UTF-8 (invalid bytes were
// replaced at import), trimmed, without control characters.
struct Entity {
  EntityType type = EntityType::kTrack;
  // "<type>:<key>": the source's id, else 16 hex digits of a hash of the
  // normalised type, title, artist and album. Stable over re-import.
  std::string id;
  std::string title;      // the name of an artist
  std::string artist;     // of tracks and albums; a show's publisher
  std::string album;      // of tracks; an episode's show
  std::string genre;      // or a show's category
  int year = 0;           // 0: not known
  double popularity = 0;  // greater is better; any scale, one a type
  std::string description;
  std::vector<std::string> tracks;                // a playlist's track ids
  std::map<std::string, std::string> attributes;  // all other columns

  bool operator==(const Entity&) const = default;
};

// Of the type and the normalised texts; stable for ever, as ids hold it.
uint64_t NameHash(EntityType type, std::string_view title,
                  std::string_view artist, std::string_view album);

// The id that an entity without one gets: "<type>:<NameHash as hex>".
std::string DerivedId(const Entity& entity);

}  // namespace quaver
