// See rows.h.
#include "quaver/catalogue/internal/rows.h"

#include <utility>

#include <nlohmann/json.hpp>

namespace quaver {
namespace {

using nlohmann::json;

// The columns every reader asks for, in the order ReadRow() takes them.
constexpr char kColumns[] =
    "key, sequence, state, type, id, title, artist, album, genre, year, "
    "popularity, description, tracks, attributes";
enum Column {
  kKey,
  kSequence,
  kState,
  kType,
  kId,
  kTitle,
  kArtist,
  kAlbum,
  kGenre,
  kYear,
  kPopularity,
  kDescription,
  kTracks,
  kAttributes
};

absl::Status BadRow(const Cursor& cursor, const std::string& what) {
  return DamagedError("the catalogue's row " + std::string(cursor.Text(kId)),
                      what);
}

absl::Status ReadTracks(const Cursor& cursor, Entity& entity) {
  if (cursor.IsNull(kTracks)) return absl::OkStatus();
  const json tracks = json::parse(cursor.Text(kTracks), nullptr, false);
  if (!tracks.is_array()) return BadRow(cursor, "tracks is not a list");
  for (const json& track : tracks) {
    if (!track.is_string()) return BadRow(cursor, "a track is not a text");
    entity.tracks.push_back(track.get<std::string>());
  }
  return absl::OkStatus();
}

absl::Status ReadAttributes(const Cursor& cursor, Entity& entity) {
  if (cursor.IsNull(kAttributes)) return absl::OkStatus();
  const json attributes = json::parse(cursor.Text(kAttributes), nullptr, false);
  if (!attributes.is_object()) {
    return BadRow(cursor, "attributes is not an object");
  }
  for (const auto& [name, value] : attributes.items()) {
    if (!value.is_string()) return BadRow(cursor, "an attribute is no text");
    entity.attributes.emplace(name, value.get<std::string>());
  }
  return absl::OkStatus();
}

absl::StatusOr<Row> ReadRow(const Cursor& cursor) {
  const int64_t state = cursor.Int(kState);
  const int64_t type = cursor.Int(kType);
  if (state < 0 || state > static_cast<int64_t>(RowState::kDeleted)) {
    return BadRow(cursor, fmt::format("state {}", state));
  }
  if (type < 0 || type >= kNumEntityTypes) {
    return BadRow(cursor, fmt::format("type {}", type));
  }
  Row row;
  row.key = cursor.Int(kKey);
  row.state = static_cast<RowState>(state);
  Entity& entity = row.entity;
  entity.type = static_cast<EntityType>(type);
  entity.id = cursor.Text(kId);
  entity.title = cursor.Text(kTitle);
  entity.artist = cursor.Text(kArtist);
  entity.album = cursor.Text(kAlbum);
  entity.genre = cursor.Text(kGenre);
  entity.year = static_cast<int>(cursor.Int(kYear));
  entity.popularity = cursor.Real(kPopularity);
  entity.description = cursor.Text(kDescription);
  RETURN_IF_ERROR(ReadTracks(cursor, entity));
  RETURN_IF_ERROR(ReadAttributes(cursor, entity));
  return row;
}

// Text that is not UTF-8 would throw here: import and API have repaired it,
// and for any other caller a replacement is better than a lost row.
std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string SchemaSql() {
  return fmt::format(
      "PRAGMA application_id = {};"
      "PRAGMA user_version = {};"
      "CREATE TABLE entities ("
      " key INTEGER PRIMARY KEY,"
      " id TEXT NOT NULL UNIQUE,"
      " sequence INTEGER NOT NULL,"
      " state INTEGER NOT NULL,"
      " type INTEGER NOT NULL,"
      " title TEXT NOT NULL,"
      " artist TEXT NOT NULL,"
      " album TEXT NOT NULL,"
      " genre TEXT NOT NULL,"
      " year INTEGER NOT NULL,"
      " popularity REAL NOT NULL,"
      " description TEXT NOT NULL,"
      " tracks TEXT,"
      " attributes TEXT,"
      " name INTEGER"
      ") STRICT;"
      "CREATE UNIQUE INDEX entities_sequence ON entities(sequence);"
      "CREATE INDEX entities_name ON entities(name) WHERE name IS NOT NULL;"
      "CREATE TABLE members ("
      " name INTEGER NOT NULL,"
      " member INTEGER NOT NULL,"
      " PRIMARY KEY (name, member)"
      ") STRICT, WITHOUT ROWID;",
      kApplicationId, kSchemaVersion);
}

absl::StatusOr<std::unique_ptr<Rows>> Rows::Create(Database& database) {
  std::unique_ptr<Rows> rows(new Rows(database));
  RETURN_IF_ERROR(rows->Prepare());
  return rows;
}

absl::Status Rows::Prepare() {
  const std::string select = fmt::format("SELECT {} FROM entities", kColumns);
  const std::pair<Statement*, std::string> statements[] = {
      {&find_, select + " WHERE id = ?1"},
      {&get_, select + " WHERE key = ?1"},
      {&keys_,
       "SELECT key FROM entities WHERE state < 2 "
       "ORDER BY type, popularity DESC, id"},
      {&changes_, select + " WHERE sequence > ?1 ORDER BY sequence LIMIT ?2"},
      {&count_, "SELECT count(*) FROM entities WHERE state < 2 AND type = ?1"},
      {&last_, "SELECT max(sequence) FROM entities"},
      {&insert_,
       "INSERT INTO entities (sequence, state, type, id, title, artist, album, "
       "genre, year, popularity, description, tracks, attributes, name) VALUES "
       "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"},
      {&update_,
       "UPDATE entities SET sequence = ?1, state = ?2, type = ?3, title = ?5, "
       "artist = ?6, album = ?7, genre = ?8, year = ?9, popularity = ?10, "
       "description = ?11, tracks = ?12, attributes = ?13, name = ?14 "
       "WHERE id = ?4"},
      {&add_member_, "INSERT OR IGNORE INTO members VALUES (?1, ?2)"},
      {&remove_member_, "DELETE FROM members WHERE name = ?1 AND member = ?2"},
      {&members_,
       "SELECT artist, album, genre, year, popularity FROM members "
       "JOIN entities ON key = member WHERE members.name = ?1 ORDER BY member"},
      {&has_given_, "SELECT 1 FROM entities WHERE name = ?1 LIMIT 1"},
  };
  for (const auto& [target, sql] : statements) {
    ASSIGN_OR_RETURN(*target, database_.Prepare(sql));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Row>> Rows::Find(const std::string& id) {
  Cursor cursor = find_.Query(std::string_view(id));
  ASSIGN_OR_RETURN(const bool found, cursor.Step());
  if (!found) return std::nullopt;
  ASSIGN_OR_RETURN(Row row, ReadRow(cursor));
  return row;
}

absl::StatusOr<Row> Rows::Get(int64_t key) {
  Cursor cursor = get_.Query(key);
  ASSIGN_OR_RETURN(const bool found, cursor.Step());
  if (!found) {
    return DamagedError("the catalogue", fmt::format("row {} is gone", key));
  }
  return ReadRow(cursor);
}

absl::StatusOr<std::vector<int64_t>> Rows::KeysInOrder() {
  std::vector<int64_t> keys;
  Cursor cursor = keys_.Query();
  while (true) {
    ASSIGN_OR_RETURN(const bool found, cursor.Step());
    if (!found) return keys;
    keys.push_back(cursor.Int(0));
  }
}

absl::StatusOr<std::vector<Change>> Rows::ChangesSince(uint64_t sequence,
                                                       size_t limit) {
  std::vector<Change> changes;
  Cursor cursor = changes_.Query(static_cast<int64_t>(sequence),
                                 static_cast<int64_t>(limit));
  while (true) {
    ASSIGN_OR_RETURN(const bool found, cursor.Step());
    if (!found) return changes;
    ASSIGN_OR_RETURN(Row row, ReadRow(cursor));
    Change& change = changes.emplace_back();
    change.sequence = static_cast<uint64_t>(cursor.Int(kSequence));
    change.id = row.entity.id;
    if (row.state != RowState::kDeleted) change.entity = std::move(row.entity);
  }
}

absl::StatusOr<int64_t> Rows::Count(EntityType type) {
  Cursor cursor = count_.Query(static_cast<int64_t>(type));
  RETURN_IF_ERROR(cursor.Step().status());
  return cursor.Int(0);
}

absl::StatusOr<uint64_t> Rows::LoadSequence() {
  Cursor cursor = last_.Query();
  RETURN_IF_ERROR(cursor.Step().status());
  sequence_ = static_cast<uint64_t>(cursor.Int(0));
  return sequence_;
}

absl::StatusOr<int64_t> Rows::Write(int64_t key, RowState state,
                                    const Entity& entity,
                                    std::optional<GroupName> name) {
  const std::string tracks = entity.tracks.empty() ? "" : Dump(entity.tracks);
  const std::string attributes =
      entity.attributes.empty() ? "" : Dump(entity.attributes);
  const auto text = [](const std::string& value) {
    return value.empty() ? std::nullopt
                         : std::optional<std::string_view>(value);
  };
  Statement& write = key == 0 ? insert_ : update_;
  RETURN_IF_ERROR(write.Run(
      static_cast<int64_t>(sequence_ + 1), static_cast<int64_t>(state),
      static_cast<int64_t>(entity.type), std::string_view(entity.id),
      std::string_view(entity.title), std::string_view(entity.artist),
      std::string_view(entity.album), std::string_view(entity.genre),
      static_cast<int64_t>(entity.year), entity.popularity,
      std::string_view(entity.description), text(tracks), text(attributes),
      name));
  ++sequence_;
  return key == 0 ? database_.last_insert_key() : key;
}

absl::Status Rows::AddMember(GroupName name, int64_t key) {
  return add_member_.Run(name, key);
}

absl::Status Rows::RemoveMember(GroupName name, int64_t key) {
  return remove_member_.Run(name, key);
}

absl::StatusOr<std::vector<Entity>> Rows::Members(GroupName name) {
  std::vector<Entity> members;
  Cursor cursor = members_.Query(name);
  while (true) {
    ASSIGN_OR_RETURN(const bool found, cursor.Step());
    if (!found) return members;
    Entity& member = members.emplace_back();
    member.artist = cursor.Text(0);
    member.album = cursor.Text(1);
    member.genre = cursor.Text(2);
    member.year = static_cast<int>(cursor.Int(3));
    member.popularity = cursor.Real(4);
  }
}

absl::StatusOr<bool> Rows::HasGiven(GroupName name) {
  Cursor cursor = has_given_.Query(name);
  return cursor.Step();
}

}  // namespace quaver
