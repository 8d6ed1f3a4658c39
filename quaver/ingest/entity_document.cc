// See entity_document.h.
#include "quaver/ingest/entity_document.h"

#include <initializer_list>

#include "quaver/base/hash.h"

namespace quaver {
namespace {

// Filled fields with a comma between: as people write names in running text.
std::string Join(std::initializer_list<const std::string*> fields) {
  std::string text;
  for (const std::string* field : fields) {
    if (field->empty()) continue;
    if (!text.empty()) text += ", ";
    text += *field;
  }
  return text;
}

}  // namespace

std::string EmbeddedText(const Entity& entity) {
  switch (entity.type) {
    case EntityType::kArtist:
    case EntityType::kAlbum:
      return "";
    case EntityType::kTrack:
      return Join(
          {&entity.title, &entity.artist, &entity.album, &entity.genre});
    case EntityType::kShow:
    case EntityType::kEpisode:
      return Join(
          {&entity.title, &entity.artist, &entity.genre, &entity.description});
    case EntityType::kPlaylist:
      return Join({&entity.title, &entity.description});
  }
  return "";
}

Document MakeDocument(const Entity& entity, const PopularityScale& scale) {
  const auto type = static_cast<uint8_t>(entity.type);
  const std::string text = EmbeddedText(entity);
  return {.type = type,
          .id = entity.id,
          .title = entity.title,
          .artist = entity.artist,
          .album = entity.album,
          .genre = entity.genre,
          .description = entity.description,
          .year = entity.year,
          .popularity = PopularityShare(scale[type], entity.popularity),
          .embedding = {},
          .embedded_hash = text.empty() ? 0 : Hash64(text)};
}

}  // namespace quaver
