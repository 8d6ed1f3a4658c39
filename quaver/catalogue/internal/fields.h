// What a column means, and how a row of named texts becomes an entity.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/catalogue/entity.h"

namespace quaver {

enum class Field : uint8_t {
  kId,
  kType,
  kTitle,
  kArtist,
  kAlbum,
  kGenre,
  kYear,
  kPopularity,
  kDescription,
  kShow,
  kEpisode,
  kTracks,
  kAttribute,  // anything else, kept under its column's name
  kIgnored,
};
inline constexpr size_t kNumFields = 12;  // those before kAttribute

struct Column {
  Field field = Field::kAttribute;
  std::string name;  // of an attribute
};

// Finds the field of each column: by `map` (column -> field, attribute name or
// "-" for none), then by its own name, then by an alias. A field goes to the
// first column that claims it; the others become attributes. Names are
// compared in lower case with spaces and hyphens as underscores.
std::vector<Column> MapColumns(const std::vector<std::string>& names,
                               const std::map<std::string, std::string>& map);

// Lower case, trimmed, spaces and hyphens as underscores.
std::string ColumnName(std::string_view name);

struct RowRules {
  std::optional<EntityType> type;  // of every row
  std::string id_prefix;           // before each id that has no type
};

// A row on its way: text may be any bytes.
struct RawRow {
  std::array<std::string, kNumFields> texts;
  std::array<bool, kNumFields> has = {};  // whether there is such a column
  std::vector<std::string> tracks;
  std::map<std::string, std::string> attributes;

  std::string& text(Field field) { return texts[static_cast<size_t>(field)]; }
  void Set(const Column& column, std::string value);
};

// Cleans the text and decides type and id as import.h says. InvalidArgument
// naming the field that is wrong. `source_id` tells whether the row had an id.
absl::StatusOr<Entity> MakeEntity(RawRow row, const RowRules& rules,
                                  bool& source_id);

// The row in one line of JSON. InvalidArgument where it is not an object.
absl::StatusOr<RawRow> ParseJsonRow(
    std::string_view line, const std::map<std::string, std::string>& map);

}  // namespace quaver
