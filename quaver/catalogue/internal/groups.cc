// See groups.h.
#include "quaver/catalogue/internal/groups.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "quaver/base/hash.h"

namespace quaver {
namespace {

struct Group {
  GroupName name = 0;
  EntityType type = EntityType::kArtist;
};

GroupName ArtistName(const std::string& artist) {
  return static_cast<GroupName>(NameHash(EntityType::kArtist, artist, "", ""));
}

GroupName AlbumName(const std::string& album, const std::string& artist) {
  return static_cast<GroupName>(
      NameHash(EntityType::kAlbum, album, artist, ""));
}

// Without the publisher: lists of episodes often leave it out or spell it in
// another way than lists of shows.
GroupName ShowName(const std::string& show) {
  return static_cast<GroupName>(NameHash(EntityType::kShow, show, "", ""));
}

// The groups that an entity is a member of.
std::vector<Group> GroupsOf(const Entity& entity) {
  std::vector<Group> groups;
  if (entity.type == EntityType::kTrack) {
    if (!entity.artist.empty()) {
      groups.push_back({ArtistName(entity.artist), EntityType::kArtist});
    }
    if (!entity.album.empty()) {
      groups.push_back(
          {AlbumName(entity.album, entity.artist), EntityType::kAlbum});
    }
  } else if (entity.type == EntityType::kEpisode && !entity.album.empty()) {
    groups.push_back({ShowName(entity.album), EntityType::kShow});
  }
  return groups;
}

// The value that most members have; the one met first where two are equal.
template <typename Value>
Value MostCommon(const std::vector<Entity>& members, Value Entity::* field) {
  std::map<Value, int> counts;
  Value best{};
  for (const Entity& member : members) {
    if (member.*field != Value{}) ++counts[member.*field];
  }
  int best_count = 0;
  for (const Entity& member : members) {
    const auto found = counts.find(member.*field);
    if (found == counts.end() || found->second <= best_count) continue;
    best = found->first;
    best_count = found->second;
  }
  return best;
}

// Spelled as its most popular member spells it.
Entity Derive(EntityType type, const std::string& id,
              const std::vector<Entity>& members) {
  const Entity& best = *std::max_element(members.begin(), members.end(),
                                         [](const Entity& a, const Entity& b) {
                                           return a.popularity < b.popularity;
                                         });
  Entity entity;
  entity.type = type;
  entity.id = id;
  entity.title = type == EntityType::kArtist ? best.artist : best.album;
  if (type != EntityType::kArtist) entity.artist = best.artist;
  entity.genre = MostCommon(members, &Entity::genre);
  if (type == EntityType::kAlbum) {
    entity.year = MostCommon(members, &Entity::year);
  }
  entity.popularity = best.popularity;
  return entity;
}

}  // namespace

std::optional<GroupName> Groups::NameOf(const Entity& entity) {
  switch (entity.type) {
    case EntityType::kArtist:
      return ArtistName(entity.title);
    case EntityType::kAlbum:
      return AlbumName(entity.title, entity.artist);
    case EntityType::kShow:
      return ShowName(entity.title);
    default:
      return std::nullopt;
  }
}

absl::Status Groups::Add(const Entity& entity, int64_t key) {
  if (const auto name = NameOf(entity)) touched_[*name] = entity.type;
  for (const Group& group : GroupsOf(entity)) {
    RETURN_IF_ERROR(rows_.AddMember(group.name, key));
    touched_[group.name] = group.type;
  }
  return absl::OkStatus();
}

absl::Status Groups::Remove(const Entity& entity, int64_t key) {
  if (const auto name = NameOf(entity)) touched_[*name] = entity.type;
  for (const Group& group : GroupsOf(entity)) {
    RETURN_IF_ERROR(rows_.RemoveMember(group.name, key));
    touched_[group.name] = group.type;
  }
  return absl::OkStatus();
}

absl::Status Groups::Settle() {
  for (const auto& [name, type] : touched_) {
    RETURN_IF_ERROR(SettleOne(name, type));
  }
  touched_.clear();
  return absl::OkStatus();
}

absl::Status Groups::SettleOne(GroupName name, EntityType type) {
  const std::string id = fmt::format("{}:{}", quaver::Name(type),
                                     Hex64(static_cast<uint64_t>(name)));
  ASSIGN_OR_RETURN(const std::optional<Row> row, rows_.Find(id));
  if (row && row->state == RowState::kGiven) return absl::OkStatus();
  const bool derived = row && row->state == RowState::kDerived;
  ASSIGN_OR_RETURN(const bool given, rows_.HasGiven(name));
  std::vector<Entity> members;
  if (!given) {
    ASSIGN_OR_RETURN(members, rows_.Members(name));
  }
  if (members.empty()) {
    if (!derived) return absl::OkStatus();
    Entity gone;
    gone.type = type;
    gone.id = id;
    return rows_.Write(row->key, RowState::kDeleted, gone, std::nullopt)
        .status();
  }
  const Entity entity = Derive(type, id, members);
  if (derived && row->entity == entity) return absl::OkStatus();
  return rows_
      .Write(row ? row->key : 0, RowState::kDerived, entity, std::nullopt)
      .status();
}

}  // namespace quaver
