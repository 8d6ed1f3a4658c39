// An entity as a JSON document: what the API takes and gives.
//
//   {"id": "track:1", "type": "track", "title": "Loser", "artist": "Beck",
//    "album": "Mellow Gold", "genre": "Rock", "year": 1993,
//    "popularity": 75, "description": "...", "tracks": ["track:7"],
//    "attributes": {"label": "DGC"}}
#pragma once

#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "quaver/base/status.h"
#include "quaver/catalogue/entity.h"

namespace quaver {

// Reads one document by the rules for a line of JSONL in import.h: title alone
// must be there (or show, episode), columns have aliases, unknown ones become
// attributes, null counts as absent. InvalidArgument naming the field.
absl::StatusOr<Entity> ParseDocumentJson(std::string_view line);

// The shape above; empty fields are left out, id, type and title never.
// ParseDocumentJson() of it gives the same entity.
nlohmann::json EntityToJson(const Entity& entity);

}  // namespace quaver
