// See fields.h.
#include "quaver/catalogue/internal/fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "quaver/text/normalize.h"

namespace quaver {
namespace {

// Longer than any name people gave a recording; a longer one is a shifted
// column or an attack on what draws it.
constexpr size_t kMaxNameBytes = 2000;
constexpr size_t kMaxIdBytes = 300;
constexpr int kMinYear = 1000;
constexpr int kMaxYear = 2999;

struct FieldName {
  std::string_view name;
  Field field;
};

constexpr FieldName kFieldNames[] = {
    {"id", Field::kId},
    {"type", Field::kType},
    {"title", Field::kTitle},
    {"artist", Field::kArtist},
    {"album", Field::kAlbum},
    {"genre", Field::kGenre},
    {"year", Field::kYear},
    {"popularity", Field::kPopularity},
    {"description", Field::kDescription},
    {"show", Field::kShow},
    {"episode", Field::kEpisode},
    {"tracks", Field::kTracks},
};

constexpr FieldName kAliases[] = {
    {"name", Field::kTitle},
    {"track", Field::kTitle},
    {"song", Field::kTitle},
    {"track_name", Field::kTitle},
    {"song_name", Field::kTitle},
    {"track_title", Field::kTitle},
    {"playlist", Field::kTitle},
    {"artists", Field::kArtist},
    {"artist_name", Field::kArtist},
    {"artist_names", Field::kArtist},
    {"composer", Field::kArtist},
    {"publisher", Field::kArtist},
    {"album_name", Field::kAlbum},
    {"genres", Field::kGenre},
    {"category", Field::kGenre},
    {"categories", Field::kGenre},
    {"release_year", Field::kYear},
    {"release_date", Field::kYear},
    {"date", Field::kYear},
    {"plays", Field::kPopularity},
    {"play_count", Field::kPopularity},
    {"track_id", Field::kId},
    {"show_name", Field::kShow},
    {"podcast", Field::kShow},
    {"episode_name", Field::kEpisode},
    {"episode_title", Field::kEpisode},
    {"track_ids", Field::kTracks},
};

template <size_t kCount>
std::optional<Field> Lookup(const FieldName (&names)[kCount],
                            std::string_view name) {
  for (const FieldName& entry : names) {
    if (entry.name == name) return entry.field;
  }
  return std::nullopt;
}

absl::Status FieldError(std::string_view field, std::string_view value,
                        std::string_view expected) {
  constexpr size_t kShownBytes = 60;
  return absl::InvalidArgumentError(
      fmt::format("{} \"{}\" is not {}", field,
                  CleanUtf8(value.substr(0, kShownBytes)), expected));
}

// "1985", "1985-03-01", "1985.0"; 0 for an empty text and for zero.
absl::StatusOr<int> ParseYear(const std::string& text) {
  if (text.empty()) return 0;
  int year = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, year);
  const std::string_view rest(stop, static_cast<size_t>(end - stop));
  const bool date = rest.empty() || rest == ".0" || rest.front() == '-' ||
                    rest.front() == '/' || rest.front() == 'T';
  if (error == std::errc() && date) {
    if (year == 0) return 0;
    if (year >= kMinYear && year <= kMaxYear) return year;
  }
  return FieldError("year", text,
                    fmt::format("a year from {} to {}, or a date that begins "
                                "with one",
                                kMinYear, kMaxYear));
}

absl::StatusOr<double> ParsePopularity(const std::string& text) {
  if (text.empty()) return 0;
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && rest == end && std::isfinite(value)) {
    return value;
  }
  return FieldError("popularity", text, "a finite number");
}

absl::StatusOr<EntityType> TypeOf(RawRow& row, const RowRules& rules) {
  if (rules.type) return *rules.type;
  const std::string& type = row.text(Field::kType);
  if (!type.empty()) return ParseEntityType(ColumnName(type));
  const auto has = [&](Field field) {
    return row.has[static_cast<size_t>(field)];
  };
  if (has(Field::kShow) || has(Field::kEpisode)) {
    const bool episode =
        !row.text(Field::kEpisode).empty() ||
        (!row.text(Field::kShow).empty() && !row.text(Field::kTitle).empty());
    return episode ? EntityType::kEpisode : EntityType::kShow;
  }
  return has(Field::kTracks) ? EntityType::kPlaylist : EntityType::kTrack;
}

// The first of the row's texts that is filled; the row loses it.
std::string TakeFirst(RawRow& row, std::initializer_list<Field> fields) {
  for (const Field field : fields) {
    if (!row.text(field).empty()) return std::exchange(row.text(field), "");
  }
  return "";
}

void SetNames(RawRow& row, Entity& entity) {
  switch (entity.type) {
    case EntityType::kArtist:
      entity.title = TakeFirst(row, {Field::kTitle, Field::kArtist});
      break;
    case EntityType::kAlbum:
      entity.title = TakeFirst(row, {Field::kTitle, Field::kAlbum});
      break;
    case EntityType::kShow:
      entity.title = TakeFirst(row, {Field::kShow, Field::kTitle});
      break;
    case EntityType::kEpisode:
      entity.title = TakeFirst(row, {Field::kEpisode, Field::kTitle});
      entity.album = TakeFirst(row, {Field::kShow, Field::kAlbum});
      break;
    default:
      entity.title = TakeFirst(row, {Field::kTitle});
  }
  entity.artist = TakeFirst(row, {Field::kArtist});
  if (entity.album.empty()) entity.album = TakeFirst(row, {Field::kAlbum});
  entity.genre = TakeFirst(row, {Field::kGenre});
  entity.description = TakeFirst(row, {Field::kDescription});
}

// "<type>:<id>"; an id that begins so is taken as it is.
std::string FullId(EntityType type, const std::string& prefix,
                   const std::string& id) {
  const std::string start = fmt::format("{}:", Name(type));
  return id.starts_with(start) ? id : start + prefix + id;
}

absl::Status CheckLengths(const Entity& entity) {
  const std::pair<std::string_view, const std::string*> names[] = {
      {"title", &entity.title},
      {"artist", &entity.artist},
      {"album", &entity.album},
      {"genre", &entity.genre}};
  for (const auto& [name, value] : names) {
    if (value->size() <= kMaxNameBytes) continue;
    return absl::InvalidArgumentError(
        fmt::format("{} has {} bytes, at most {} are allowed", name,
                    value->size(), kMaxNameBytes));
  }
  return absl::OkStatus();
}

absl::Status SetId(RawRow& row, const RowRules& rules, Entity& entity) {
  const std::string id = row.text(Field::kId);
  entity.id =
      id.empty() ? DerivedId(entity) : FullId(entity.type, rules.id_prefix, id);
  if (entity.id.size() > kMaxIdBytes) {
    return absl::InvalidArgumentError(
        fmt::format("id has {} bytes, at most {} are allowed", entity.id.size(),
                    kMaxIdBytes));
  }
  if (entity.id == fmt::format("{}:", Name(entity.type))) {
    return FieldError("id", id, "a whole id");
  }
  return absl::OkStatus();
}

void SplitTracks(const std::string& text, std::vector<std::string>& tracks) {
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('|', begin), text.size());
    tracks.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

void SetTracks(RawRow& row, const RowRules& rules, Entity& entity) {
  if (entity.type != EntityType::kPlaylist) return;
  SplitTracks(TakeFirst(row, {Field::kTracks}), row.tracks);
  for (const std::string& track : row.tracks) {
    const std::string id = CleanUtf8(track);
    if (id.empty()) continue;
    entity.tracks.push_back(FullId(EntityType::kTrack, rules.id_prefix, id));
  }
}

void SetAttributes(RawRow& row, Entity& entity) {
  for (auto& [name, value] : row.attributes) {
    const std::string key = CleanUtf8(name);
    std::string text = CleanUtf8(value);
    if (key.empty() || text.empty()) continue;
    entity.attributes.insert_or_assign(key, std::move(text));
  }
  // A field that this type of entity has no place for is not lost.
  for (const Field field :
       {Field::kShow, Field::kEpisode, Field::kTitle, Field::kTracks}) {
    std::string text = TakeFirst(row, {field});
    if (text.empty()) continue;
    entity.attributes.emplace(kFieldNames[static_cast<size_t>(field)].name,
                              std::move(text));
  }
}

}  // namespace

std::string ColumnName(std::string_view name) {
  std::string result = CleanUtf8(name);
  for (char& letter : result) {
    if (letter >= 'A' && letter <= 'Z') letter += 'a' - 'A';
    if (letter == ' ' || letter == '-') letter = '_';
  }
  return result;
}

std::vector<Column> MapColumns(const std::vector<std::string>& names,
                               const std::map<std::string, std::string>& map) {
  std::vector<Column> columns(names.size());
  std::array<bool, kNumFields> taken = {};
  std::vector<bool> done(names.size(), false);
  const auto claim = [&](size_t i, std::optional<Field> field) {
    if (!field || taken[static_cast<size_t>(*field)]) return;
    taken[static_cast<size_t>(*field)] = true;
    columns[i].field = *field;
    done[i] = true;
  };
  std::vector<std::string> keys;
  for (size_t i = 0; i < names.size(); ++i) {
    keys.push_back(ColumnName(names[i]));
    columns[i].name = keys[i];
    const auto mapped = map.find(keys[i]);
    if (mapped == map.end()) continue;
    columns[i].name = mapped->second;
    if (mapped->second == "-") columns[i].field = Field::kIgnored;
    claim(i, Lookup(kFieldNames, mapped->second));
    done[i] = true;
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (!done[i]) claim(i, Lookup(kFieldNames, keys[i]));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (!done[i]) claim(i, Lookup(kAliases, keys[i]));
  }
  return columns;
}

void RawRow::Set(const Column& column, std::string value) {
  if (column.field == Field::kIgnored) return;
  if (column.field == Field::kAttribute) {
    if (!column.name.empty()) attributes.emplace(column.name, std::move(value));
    return;
  }
  has[static_cast<size_t>(column.field)] = true;
  text(column.field) = std::move(value);
}

absl::StatusOr<Entity> MakeEntity(RawRow row, const RowRules& rules,
                                  bool& source_id) {
  for (std::string& text : row.texts) text = CleanUtf8(text);
  source_id = !row.text(Field::kId).empty();
  Entity entity;
  ASSIGN_OR_RETURN(entity.type, TypeOf(row, rules));
  SetNames(row, entity);
  if (entity.title.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("the {}'s title is missing", Name(entity.type)));
  }
  RETURN_IF_ERROR(CheckLengths(entity));
  ASSIGN_OR_RETURN(entity.year, ParseYear(row.text(Field::kYear)));
  ASSIGN_OR_RETURN(entity.popularity,
                   ParsePopularity(row.text(Field::kPopularity)));
  RETURN_IF_ERROR(SetId(row, rules, entity));
  SetTracks(row, rules, entity);
  SetAttributes(row, entity);
  return entity;
}

}  // namespace quaver
