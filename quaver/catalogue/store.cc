// See store.h.
#include "quaver/catalogue/store.h"

#include <cmath>
#include <utility>

#include "absl/base/thread_annotations.h"

#include "quaver/base/mutex.h"
#include "quaver/catalogue/internal/groups.h"
#include "quaver/catalogue/internal/rows.h"
#include "quaver/catalogue/internal/sqlite.h"

namespace quaver {
namespace {

// OK for an empty file and for a whole catalogue of this version.
absl::Status CheckIdentity(Database& database, const std::string& path,
                           bool& empty) {
  ASSIGN_OR_RETURN(const int64_t application,
                   database.QueryInt("PRAGMA application_id"));
  ASSIGN_OR_RETURN(const int64_t version,
                   database.QueryInt("PRAGMA user_version"));
  ASSIGN_OR_RETURN(const int64_t tables,
                   database.QueryInt("SELECT count(*) FROM sqlite_master"));
  empty = application == 0 && version == 0 && tables == 0;
  if (empty) return absl::OkStatus();
  if (application != kApplicationId) {
    return absl::FailedPreconditionError(fmt::format(
        "{} is a database of another program (application id {}); choose "
        "another path",
        path, application));
  }
  if (version != kSchemaVersion) {
    return absl::FailedPreconditionError(fmt::format(
        "{} has format {}, this program reads format {}; use a newer program "
        "or re-ingest into another folder",
        path, version, kSchemaVersion));
  }
  ASSIGN_OR_RETURN(const std::string result,
                   database.QueryText("PRAGMA quick_check(1)"));
  if (result != "ok") return DamagedError(path, result);
  return absl::OkStatus();
}

// Nothing is written before the file is known to be ours.
absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(
    const std::string& path) {
  ASSIGN_OR_RETURN(auto database,
                   Database::Open(path, Database::Mode::kReadWriteCreate));
  RETURN_IF_ERROR(database->Execute(
      "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"));
  bool empty = false;
  RETURN_IF_ERROR(CheckIdentity(*database, path, empty));
  ASSIGN_OR_RETURN(const std::string mode,
                   database->QueryText("PRAGMA journal_mode = WAL"));
  if (mode != "wal") {
    return absl::FailedPreconditionError(fmt::format(
        "{} lies on a file system without shared memory (journal mode {}); "
        "choose a local one",
        path, mode));
  }
  // At most 32 MiB of page cache, and a log of 16 MiB between checkpoints.
  RETURN_IF_ERROR(
      database->Execute("PRAGMA synchronous = FULL; PRAGMA cache_size = "
                        "-32768; PRAGMA wal_autocheckpoint = 4096;"));
  if (empty) {
    ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database));
    RETURN_IF_ERROR(database->Execute(SchemaSql()));
    RETURN_IF_ERROR(transaction.Commit());
  }
  return database;
}

absl::Status CheckEntity(const Entity& entity) {
  const std::string prefix = fmt::format("{}:", Name(entity.type));
  if (!entity.id.starts_with(prefix) || entity.id.size() == prefix.size()) {
    return absl::InvalidArgumentError(
        fmt::format("id \"{}\" is not of the form {}<key>", entity.id, prefix));
  }
  if (entity.title.empty()) {
    return absl::InvalidArgumentError(entity.id + ": title is missing");
  }
  if (!std::isfinite(entity.popularity)) {
    return absl::InvalidArgumentError(entity.id +
                                      ": popularity is not a finite number");
  }
  return absl::OkStatus();
}

class SqliteStore : public CatalogueStore {
 public:
  SqliteStore(std::string path, std::unique_ptr<Database> database,
              std::unique_ptr<Rows> rows)
      : path_(std::move(path)),
        database_(std::move(database)),
        rows_(std::move(rows)) {}

  absl::StatusOr<uint64_t> Upsert(const std::vector<Entity>& entities) override;
  absl::StatusOr<bool> Delete(const std::string& id) override;
  absl::StatusOr<Entity> Get(const std::string& id) override;
  absl::StatusOr<std::vector<Change>> ChangesSince(uint64_t sequence,
                                                   size_t limit) override;
  absl::Status ForEach(
      const std::function<absl::Status(const Entity&)>& visit) override;
  absl::StatusOr<int64_t> Count(EntityType type) override;
  absl::StatusOr<uint64_t> LastSequence() override;

 private:
  absl::Status UpsertOne(const Entity& entity, Groups& groups)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  Mutex mutex_;
  const std::unique_ptr<Database> database_ ABSL_PT_GUARDED_BY(mutex_);
  const std::unique_ptr<Rows> rows_ ABSL_PT_GUARDED_BY(mutex_);
};

absl::Status SqliteStore::UpsertOne(const Entity& entity, Groups& groups) {
  ASSIGN_OR_RETURN(const std::optional<Row> old, rows_->Find(entity.id));
  const bool given = old && old->state == RowState::kGiven;
  if (given && old->entity == entity) return absl::OkStatus();
  if (given) RETURN_IF_ERROR(groups.Remove(old->entity, old->key));
  ASSIGN_OR_RETURN(const int64_t key,
                   rows_->Write(old ? old->key : 0, RowState::kGiven, entity,
                                Groups::NameOf(entity)));
  return groups.Add(entity, key);
}

absl::StatusOr<uint64_t> SqliteStore::Upsert(
    const std::vector<Entity>& entities) {
  for (const Entity& entity : entities) RETURN_IF_ERROR(CheckEntity(entity));
  MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  RETURN_IF_ERROR(rows_->LoadSequence().status());
  Groups groups(*rows_);
  for (const Entity& entity : entities) {
    RETURN_IF_ERROR(UpsertOne(entity, groups));
  }
  RETURN_IF_ERROR(groups.Settle());
  ASSIGN_OR_RETURN(const uint64_t sequence, rows_->LoadSequence());
  RETURN_IF_ERROR(transaction.Commit());
  return sequence;
}

absl::StatusOr<bool> SqliteStore::Delete(const std::string& id) {
  MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(*database_));
  RETURN_IF_ERROR(rows_->LoadSequence().status());
  ASSIGN_OR_RETURN(const std::optional<Row> row, rows_->Find(id));
  if (!row || row->state == RowState::kDeleted) return false;
  if (row->state == RowState::kDerived) {
    return absl::FailedPreconditionError(fmt::format(
        "{} follows from its {}; delete those", id,
        row->entity.type == EntityType::kShow ? "episodes" : "tracks"));
  }
  Entity gone;
  gone.type = row->entity.type;
  gone.id = id;
  Groups groups(*rows_);
  RETURN_IF_ERROR(groups.Remove(row->entity, row->key));
  RETURN_IF_ERROR(
      rows_->Write(row->key, RowState::kDeleted, gone, std::nullopt).status());
  RETURN_IF_ERROR(groups.Settle());
  RETURN_IF_ERROR(transaction.Commit());
  return true;
}

absl::StatusOr<Entity> SqliteStore::Get(const std::string& id) {
  MutexLock lock(&mutex_);
  ASSIGN_OR_RETURN(std::optional<Row> row, rows_->Find(id));
  if (!row || row->state == RowState::kDeleted) {
    return absl::NotFoundError(fmt::format("no entity has the id \"{}\"", id));
  }
  return std::move(row->entity);
}

absl::StatusOr<std::vector<Change>> SqliteStore::ChangesSince(uint64_t sequence,
                                                              size_t limit) {
  MutexLock lock(&mutex_);
  return rows_->ChangesSince(sequence, limit);
}

// On a connection of its own: the snapshot does not move under the visitor,
// who may write meanwhile.
absl::Status SqliteStore::ForEach(
    const std::function<absl::Status(const Entity&)>& visit) {
  ASSIGN_OR_RETURN(const auto database,
                   Database::Open(path_, Database::Mode::kReadOnly));
  RETURN_IF_ERROR(database->Execute("BEGIN"));
  ASSIGN_OR_RETURN(const auto rows, Rows::Create(*database));
  ASSIGN_OR_RETURN(const std::vector<int64_t> keys, rows->KeysInOrder());
  for (const int64_t key : keys) {
    ASSIGN_OR_RETURN(const Row row, rows->Get(key));
    RETURN_IF_ERROR(visit(row.entity));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> SqliteStore::Count(EntityType type) {
  MutexLock lock(&mutex_);
  return rows_->Count(type);
}

absl::StatusOr<uint64_t> SqliteStore::LastSequence() {
  MutexLock lock(&mutex_);
  return rows_->LoadSequence();
}

}  // namespace

absl::StatusOr<std::unique_ptr<CatalogueStore>> CatalogueStore::Open(
    const std::string& path) {
  ASSIGN_OR_RETURN(auto database, OpenDatabase(path));
  auto rows = Rows::Create(*database);
  if (absl::IsInternal(rows.status())) {  // a table or column is missing
    return DamagedError(path, Message(rows.status()));
  }
  RETURN_IF_ERROR(rows.status());
  return std::make_unique<SqliteStore>(path, std::move(database),
                                       *std::move(rows));
}

}  // namespace quaver
