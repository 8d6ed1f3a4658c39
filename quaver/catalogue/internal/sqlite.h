// A thin layer over SQLite: owned handles, bound values, Abseil statuses.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "quaver/base/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace quaver {

// The rows of a running statement; its end rewinds the statement, so at most
// one at a time a statement. Text is valid until the next Step().
class Cursor {
 public:
  explicit Cursor(sqlite3_stmt* statement) : statement_(statement) {}
  ~Cursor();
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  // Whether there is a (next) row.
  absl::StatusOr<bool> Step();
  int64_t Int(int column) const;
  double Real(int column) const;
  std::string_view Text(int column) const;  // empty for NULL
  bool IsNull(int column) const;

 private:
  sqlite3_stmt* statement_;
};

// A prepared statement, or none. Must not outlive its database.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  // REQUIRES: a prepared statement.
  // Binds ?1, ?2, ... Bound text must live until the cursor ends. Binding
  // fails only for lack of memory or a wrong count, and then Step() says so.
  template <typename... Values>
  Cursor Query(const Values&... values) {
    int index = 0;
    (Bind(++index, values), ...);
    return Cursor(statement_);
  }
  // The same for a statement without rows.
  template <typename... Values>
  absl::Status Run(const Values&... values) {
    Cursor cursor = Query(values...);
    return cursor.Step().status();
  }

 private:
  void Bind(int index, int64_t value);
  void Bind(int index, double value);
  void Bind(int index, std::string_view value);
  void BindNull(int index);
  template <typename Value>
  void Bind(int index, const std::optional<Value>& value) {
    value ? Bind(index, *value) : BindNull(index);
  }
  sqlite3_stmt* statement_ = nullptr;
};

// One connection. Not thread-safe.
class Database {
 public:
  enum class Mode { kReadOnly, kReadWriteCreate };
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path,
                                                        Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  absl::Status Execute(const std::string& sql);
  absl::StatusOr<Statement> Prepare(const std::string& sql);
  // The first column of the first row; 0 without a row.
  absl::StatusOr<int64_t> QueryInt(const std::string& sql);
  absl::StatusOr<std::string> QueryText(const std::string& sql);
  int64_t last_insert_key() const;

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}
  sqlite3* handle_;
};

// Rolls back at its end unless committed.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Database& database);
  ~Transaction();
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  absl::Status Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  // null once committed or moved from
};

// The error for damage found in a database, with the remedy.
absl::Status DamagedError(const std::string& path, const std::string& what);

}  // namespace quaver
