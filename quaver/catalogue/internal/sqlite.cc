// See sqlite.h.
#include "quaver/catalogue/internal/sqlite.h"

#include <sqlite3.h>

#include <cerrno>
#include <utility>

#include "quaver/base/file.h"

namespace quaver {
namespace {

// Another process holds the write lock only for one transaction.
constexpr int kBusyTimeoutMs = 5'000;

absl::Status SqliteError(sqlite3* handle, int code) {
  const char* file = sqlite3_db_filename(handle, nullptr);
  const std::string path = file == nullptr ? "database" : file;
  const int error_number = sqlite3_system_errno(handle);
  const std::string message =
      fmt::format("{}: {}", path, sqlite3_errmsg(handle));
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return DamagedError(path, sqlite3_errmsg(handle));
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(message + "; free some space");
    case SQLITE_NOMEM:
      return absl::ResourceExhaustedError(message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(message +
                                    "; another process is writing to it");
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return absl::PermissionDeniedError(message);
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
      return absl::InvalidArgumentError(message);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      return error_number != 0 ? ErrnoStatus(error_number, message)
                               : absl::InternalError(message);
    default:
      return absl::InternalError(message);
  }
}

}  // namespace

absl::Status DamagedError(const std::string& path, const std::string& what) {
  return absl::DataLossError(
      fmt::format("{} is damaged ({}); delete it and re-ingest from the source "
                  "files",
                  path, what));
}

Cursor::~Cursor() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

absl::StatusOr<bool> Cursor::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return SqliteError(sqlite3_db_handle(statement_), code);
}

int64_t Cursor::Int(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Cursor::Real(int column) const {
  return sqlite3_column_double(statement_, column);
}

std::string_view Cursor::Text(int column) const {
  const auto* text =
      reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (text == nullptr) return {};
  return {text, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Cursor::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  return *this;
}

void Statement::Bind(int index, int64_t value) {
  sqlite3_bind_int64(statement_, index, value);
}

void Statement::Bind(int index, double value) {
  sqlite3_bind_double(statement_, index, value);
}

void Statement::Bind(int index, std::string_view value) {
  // A null pointer would bind NULL, and an empty view may hold one.
  sqlite3_bind_text64(statement_, index, value.empty() ? "" : value.data(),
                      value.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::BindNull(int index) { sqlite3_bind_null(statement_, index); }

absl::StatusOr<std::unique_ptr<Database>> Database::Open(
    const std::string& path, Mode mode) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY
                                   : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  errno = 0;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  std::unique_ptr<Database> database(new Database(handle));
  if (code != SQLITE_OK) {
    const int error_number = sqlite3_system_errno(handle);
    return error_number != 0
               ? ErrnoStatus(error_number, "cannot open " + path)
               : absl::InternalError(fmt::format("cannot open {}: {}", path,
                                                 sqlite3_errstr(code)));
  }
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  return database;
}

Database::~Database() { sqlite3_close(handle_); }

absl::Status Database::Execute(const std::string& sql) {
  const int code =
      sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return SqliteError(handle_, code);
  return absl::OkStatus();
}

absl::StatusOr<Statement> Database::Prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(handle_, sql.c_str(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return SqliteError(handle_, code);
  return Statement(statement);
}

absl::StatusOr<int64_t> Database::QueryInt(const std::string& sql) {
  ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  Cursor cursor = statement.Query();
  ASSIGN_OR_RETURN(const bool found, cursor.Step());
  return found ? cursor.Int(0) : 0;
}

absl::StatusOr<std::string> Database::QueryText(const std::string& sql) {
  ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
  Cursor cursor = statement.Query();
  ASSIGN_OR_RETURN(const bool found, cursor.Step());
  return found ? std::string(cursor.Text(0)) : std::string();
}

int64_t Database::last_insert_key() const {
  return sqlite3_last_insert_rowid(handle_);
}

absl::StatusOr<Transaction> Transaction::Begin(Database& database) {
  RETURN_IF_ERROR(database.Execute("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  // Fails only where SQLite has rolled back already, as after a full disk.
  (void)database_->Execute("ROLLBACK");
}

absl::Status Transaction::Commit() {
  RETURN_IF_ERROR(database_->Execute("COMMIT"));
  database_ = nullptr;
  return absl::OkStatus();
}

}  // namespace quaver
