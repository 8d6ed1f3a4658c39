// From the catalogue's record to the index's document.
#pragma once

#include <string>

#include "quaver/catalogue/entity.h"
#include "quaver/index/document.h"
#include "quaver/ingest/popularity.h"

namespace quaver {

// The text whose embedding stands for the entity: a track's title, artist,
// album and genre; a show's or episode's title, publisher, category and
// description; a playlist's title and description. Empty for artists and
// albums, which have no vector: words and their tracks find them.
std::string EmbeddedText(const Entity& entity);

// All but the embedding; `embedded_hash` is of EmbeddedText, 0 for none.
Document MakeDocument(const Entity& entity, const PopularityScale& scale);

}  // namespace quaver
