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
// survives kill -9 and power cuts (WAL, synchronous=FULL). A failed call
// changes nothing. Errors of any call: DataLoss when the file is damaged,
// ResourceExhausted when the disk is full, Unavailable when another process
// holds the file for more than five seconds.
//
// Tracks imply artists and albums, episodes imply shows. Such a derived entity
// exists while it has a track (or episode) and nobody upserted an artist,
// album or show of the same name themselves (normalised; albums: and artist).
// It is spelled as its most popular track spells it; its popularity is the
// greatest of its tracks', its genre and an album's year the most common.
class CatalogueStore {
 public:
  // Opens or creates. Reads the whole file to check it. DataLoss for a damaged
  // file, FailedPrecondition for a database of another version or program; a
  // refused file is not changed.
  static absl::StatusOr<std::unique_ptr<CatalogueStore>> Open(
      const std::string& path);
  virtual ~CatalogueStore() = default;

  // Inserts or replaces by id, in one transaction, and keeps derived entities
  // in step. Of equal ids the last one counts. Rows equal to what is stored
  // change nothing. Returns the sequence number of the newest change.
  // InvalidArgument, naming the id, for one that is not "<type>:<key>", a
  // missing title or a popularity that is not finite. Batches of 10,000 are
  // fast; each is one sync to disk.
  virtual absl::StatusOr<uint64_t> Upsert(
      const std::vector<Entity>& entities) = 0;

  // Deletes by id; derived entities whose last track goes are deleted too.
  // Returns whether it existed. FailedPrecondition for a derived entity.
  virtual absl::StatusOr<bool> Delete(const std::string& id) = 0;

  // NotFound naming the id.
  virtual absl::StatusOr<Entity> Get(const std::string& id) = 0;

  // Rows changed after `sequence`, oldest first, at most `limit`; of a row that
  // changed often, the newest state alone. Deletions are kept for ever.
  virtual absl::StatusOr<std::vector<Change>> ChangesSince(uint64_t sequence,
                                                           size_t limit) = 0;

  // Calls `visit` for every entity in order of (type, popularity descending,
  // id); stops at the first error and returns it. Sees the state at its start;
  // holds no lock, so that `visit` may call the store. 8 bytes an entity.
  virtual absl::Status ForEach(
      const std::function<absl::Status(const Entity&)>& visit) = 0;

  // Entities of a type. Scans the table: about 0.1 s a million rows.
  virtual absl::StatusOr<int64_t> Count(EntityType type) = 0;
  // The sequence number of the newest change; 0 when empty.
  virtual absl::StatusOr<uint64_t> LastSequence() = 0;
};

}  // namespace quaver
