// See document_json.h.
#include "quaver/catalogue/document_json.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "quaver/catalogue/internal/fields.h"

namespace quaver {

absl::StatusOr<Entity> ParseDocumentJson(std::string_view line) {
  ASSIGN_OR_RETURN(RawRow row, ParseJsonRow(line, {}));
  bool source_id = false;
  return MakeEntity(std::move(row), {}, source_id);
}

nlohmann::json EntityToJson(const Entity& entity) {
  nlohmann::json document = {
      {"id", entity.id}, {"type", Name(entity.type)}, {"title", entity.title}};
  const std::pair<const char*, const std::string*> texts[] = {
      {"artist", &entity.artist},
      {"album", &entity.album},
      {"genre", &entity.genre},
      {"description", &entity.description}};
  for (const auto& [name, text] : texts) {
    if (!text->empty()) document[name] = *text;
  }
  if (entity.year != 0) document["year"] = entity.year;
  if (entity.popularity != 0) document["popularity"] = entity.popularity;
  if (!entity.tracks.empty()) document["tracks"] = entity.tracks;
  if (!entity.attributes.empty()) document["attributes"] = entity.attributes;
  return document;
}

}  // namespace quaver
