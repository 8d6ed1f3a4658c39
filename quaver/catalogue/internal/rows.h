// The tables of a catalogue database, one prepared statement an operation.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/catalogue/entity.h"
#include "quaver/catalogue/internal/sqlite.h"
#include "quaver/catalogue/store.h"

namespace quaver {

inline constexpr int64_t kApplicationId = 0x51756176;  // "Quav"
inline constexpr int64_t kSchemaVersion = 1;

// The SQL that makes an empty catalogue, ids and version included.
std::string SchemaSql();

enum class RowState : int64_t {
  kGiven = 0,    // somebody wrote it
  kDerived = 1,  // it follows from tracks or episodes
  kDeleted = 2,  // a tombstone: only id, type and sequence count
};

struct Row {
  int64_t key = 0;
  RowState state = RowState::kGiven;
  Entity entity;
};

// A hash that artists, albums and shows share with the tracks or episodes that
// are theirs. Of a million names, two collide with a probability of 3e-8.
using GroupName = int64_t;

// Not thread-safe. Writes belong into a transaction, after LoadSequence().
class Rows {
 public:
  static absl::StatusOr<std::unique_ptr<Rows>> Create(Database& database);

  // Absent when the id was never written; a tombstone is a row.
  absl::StatusOr<std::optional<Row>> Find(const std::string& id);
  absl::StatusOr<Row> Get(int64_t key);
  // Keys of all that is not deleted by (type, popularity descending, id).
  absl::StatusOr<std::vector<int64_t>> KeysInOrder();
  absl::StatusOr<std::vector<Change>> ChangesSince(uint64_t sequence,
                                                   size_t limit);
  absl::StatusOr<int64_t> Count(EntityType type);

  // Reads the newest sequence number, from which Write() goes on.
  absl::StatusOr<uint64_t> LoadSequence();
  // Inserts, or overwrites `key` where it is not 0, under the next sequence
  // number. `name` marks a given artist, album or show. Returns the key.
  absl::StatusOr<int64_t> Write(int64_t key, RowState state,
                                const Entity& entity,
                                std::optional<GroupName> name);

  absl::Status AddMember(GroupName name, int64_t key);
  absl::Status RemoveMember(GroupName name, int64_t key);
  // The tracks or episodes of a group, in the order of their keys: artist,
  // album, genre, year and popularity alone are filled.
  absl::StatusOr<std::vector<Entity>> Members(GroupName name);
  // Whether somebody wrote an entity of this name.
  absl::StatusOr<bool> HasGiven(GroupName name);

 private:
  explicit Rows(Database& database) : database_(database) {}
  absl::Status Prepare();

  Database& database_;
  uint64_t sequence_ = 0;
  Statement find_, get_, keys_, changes_, count_, last_, insert_, update_,
      add_member_, remove_member_, members_, has_given_;
};

}  // namespace quaver
