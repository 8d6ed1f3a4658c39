// The record of what can be found: a SQLite database (WAL) that is the truth.
//
//   ASSIGN_OR_RETURN(auto store, CatalogueStore::Open(dir + "/catalogue.db"));
//   RETURN_IF_ERROR(store->Upsert(entities).status());
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/catalogue/entity.h"

namespace quaver {

// A change that was committed. `entity` is absent for a deletion.
struct Change {
  uint64_t sequence = 0;  // rises with every changed row
  std::string id;
  std::optional<Entity> entity;
};

// Thread-safe: one connection behind one mutex. Whatever a call acknowledged
// survives kill -9 and power cuts (WAL, synchronous=FULL).
class CatalogueStore {
 public:
  // Opens or creates. DataLoss for a damaged file, FailedPrecondition for a
  // database of a newer version or of another program.
  static absl::StatusOr<std::unique_ptr<CatalogueStore>> Open(
      const std::string& path);
  virtual ~CatalogueStore() = default;

  // Inserts or replaces by id, in one transaction, and keeps derived artists
  // and albums in step (a new name makes one, its popularity is the greatest
  // of its tracks'). Rows equal to what is stored change nothing. Returns the
  // sequence number after the last change.
  virtual absl::StatusOr<uint64_t> Upsert(
      const std::vector<Entity>& entities) = 0;

  // Deletes by id; derived entities whose last track goes are deleted too.
  // Returns whether it existed.
  virtual absl::StatusOr<bool> Delete(const std::string& id) = 0;

  // NotFound naming the id.
  virtual absl::StatusOr<Entity> Get(const std::string& id) = 0;

  // Rows changed after `sequence`, oldest first, at most `limit`.
  virtual absl::StatusOr<std::vector<Change>> ChangesSince(uint64_t sequence,
                                                           size_t limit) = 0;

  // Calls `visit` for every entity in order of (type, popularity descending,
  // id); stops at the first error and returns it.
  virtual absl::Status ForEach(
      const std::function<absl::Status(const Entity&)>& visit) = 0;

  // Entities of a type.
  virtual absl::StatusOr<int64_t> Count(EntityType type) = 0;
  // The sequence number of the newest change; 0 when empty.
  virtual absl::StatusOr<uint64_t> LastSequence() = 0;
};

}  // namespace quaver
