// Derived entities: the artists and albums of tracks, the shows of episodes.
#pragma once

#include <map>

#include "quaver/base/status.h"
#include "quaver/catalogue/entity.h"
#include "quaver/catalogue/internal/rows.h"

namespace quaver {

// Notes which groups a transaction touches, and settles them at its end by one
// rule: a group has a derived entity while it has members and nobody wrote an
// entity of its name. Not thread-safe; one a transaction.
class Groups {
 public:
  explicit Groups(Rows& rows) : rows_(rows) {}

  // The name by which an artist, album or show is found by its members; absent
  // for other types.
  static std::optional<GroupName> NameOf(const Entity& entity);

  // A written entity comes, or goes, under its key.
  absl::Status Add(const Entity& entity, int64_t key);
  absl::Status Remove(const Entity& entity, int64_t key);

  // Writes, changes and deletes derived entities as the rule demands.
  absl::Status Settle();

 private:
  absl::Status SettleOne(GroupName name, EntityType type);

  Rows& rows_;
  std::map<GroupName, EntityType> touched_;  // ordered: neighbours on disk
};

}  // namespace quaver
