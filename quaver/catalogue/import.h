// Catalogue files as entities: TSV, CSV and JSONL, plain, gzip or zstd.
//
//   SeenIds seen;  // one for all files of a run
//   ImportCallbacks callbacks;
//   callbacks.entities = [&](std::vector<Entity> batch) {
//     return store->Upsert(batch).status();
//   };
//   ASSIGN_OR_RETURN(auto stats, ReadCatalogueFile(path, {}, seen, callbacks));
//
// The format follows from the name (.tsv .tab .csv .jsonl .ndjson .json, before
// .gz or .zst), else from the first line; compression from the first bytes.
// Lines end in LF or CR LF. TSV has no quoting, CSV is RFC 4180's, JSONL has
// one object a line. A delimited file begins with the names of its columns.
//
// Columns: id type title artist album genre year popularity description show
// episode tracks, in any case; common aliases (name, track, song, artists,
// composer, publisher, category, release_date, plays, ...) too. All other
// columns become attributes. `tracks` of a playlist holds ids joined by '|', or
// a JSON list.
//
// Type of a row: ImportOptions::type, else its `type` column, else episode or
// show where there is a column `show` (an episode where `episode` is filled, or
// both `show` and `title`), else playlist where there is a column `tracks`,
// else track. An episode's show is its album, a publisher its artist.
//
// Id: "<type>:<prefix><id>", or DerivedId() without an id. An id that begins
// with its type already, as in exported documents, is taken as it is.
//
// A bad line (wrong number of columns, no title, year or popularity that is
// none, no JSON object, longer than 1 MiB, name longer than 2,000 bytes) is
// reported and left out; the rest is kept. Bytes that are not UTF-8 become
// U+FFFD.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/catalogue/entity.h"

namespace quaver {

enum class FileFormat { kTsv, kCsv, kJsonl };

enum class PopularityFrom {
  kColumn,  // the column's number as it is; 0 without one
  // 1 / the row's number in its file, in (0, 1], whatever the column says: for
  // files with the most popular rows first. Bad lines count as rows.
  kRowOrder,
};

struct ImportOptions {
  std::optional<FileFormat> format;  // whatever the name says
  std::optional<EntityType> type;    // of every row
  // Column -> field, another name for an attribute, or "-" to leave it out.
  // Goes before names and aliases.
  std::map<std::string, std::string> map;
  PopularityFrom popularity = PopularityFrom::kColumn;
  // Keeps apart the ids of files that count from 1 each: "pm-" makes
  // "track:pm-1".
  std::string id_prefix;
  size_t batch_rows = 10'000;  // entities a call of `entities`, at least 1
};

struct BadLine {
  std::string file;
  int64_t line = 0;    // from 1
  std::string reason;  // names the field and what was expected
  std::string text;    // the line's first 1,000 bytes, as they were
};

// The ids that a run has imported, so that a file cannot overwrite what
// another, or an earlier line, calls by another name: such a row is a bad line.
// The same title and artist may come again; the last one counts. Rows without
// ids are not noted. About 50 bytes a row. Not thread-safe.
class SeenIds {
 public:
  // AlreadyExists naming the file that has the id.
  absl::Status Add(const Entity& entity, const std::string& file);

 private:
  struct Seen {
    uint32_t name = 0;  // of a hash, enough to tell two names apart
    uint32_t file = 0;  // in files_
  };
  std::unordered_map<uint64_t, Seen> seen_;  // by hash of the id
  std::vector<std::string> files_;
};

struct ImportCallbacks {
  // In the order of the file. An error stops the import and is returned.
  std::function<absl::Status(std::vector<Entity> batch)> entities;
  std::function<void(const BadLine&)> bad_line;  // may be empty
  // Bytes of the file read so far, before decompression; may be empty.
  std::function<void(int64_t bytes)> progress;
};

struct ImportStats {
  int64_t entities = 0;
  int64_t bad_lines = 0;
};

// Reads a whole file in bounded memory: a batch, 2 MiB of line, zstd's window.
// Errors concern the file as a whole: NotFound, PermissionDenied; DataLoss for
// damaged or truncated compression (what came before was delivered);
// InvalidArgument for a header without a title, a map of columns that are not
// there, UTF-16, a JSON array.
absl::StatusOr<ImportStats> ReadCatalogueFile(const std::string& path,
                                              const ImportOptions& options,
                                              SeenIds& seen,
                                              const ImportCallbacks& callbacks);

// The same for bytes in memory; `name` stands for the path.
absl::StatusOr<ImportStats> ReadCatalogueBytes(
    std::string_view bytes, const std::string& name,
    const ImportOptions& options, SeenIds& seen,
    const ImportCallbacks& callbacks);

// Bad lines as a TSV file (file, line, reason, text), written as they come.
// Tabs, line ends and backslashes in a text appear as \t \n \r \\.
class RejectedFile {
 public:
  // Replaces the file; an empty one holds the header alone.
  static absl::StatusOr<std::unique_ptr<RejectedFile>> Create(
      const std::string& path);
  ~RejectedFile();
  RejectedFile(const RejectedFile&) = delete;
  RejectedFile& operator=(const RejectedFile&) = delete;

  void Add(const BadLine& line);
  int64_t num_lines() const { return num_lines_; }
  // Writes what is buffered. The error of the first write that failed.
  absl::Status Finish();

 private:
  struct Impl;
  explicit RejectedFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
  int64_t num_lines_ = 0;
};

}  // namespace quaver
