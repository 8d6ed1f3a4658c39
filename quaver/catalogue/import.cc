// See import.h.
#include "quaver/catalogue/import.h"

#include <algorithm>
#include <utility>

#include <fmt/ranges.h>

#include "quaver/base/check.h"
#include "quaver/base/hash.h"
#include "quaver/catalogue/internal/byte_source.h"
#include "quaver/catalogue/internal/fields.h"
#include "quaver/catalogue/internal/lines.h"

namespace quaver {
namespace {

constexpr size_t kReportedBytes = 1000;

std::string LowerCase(std::string text) {
  for (char& letter : text) {
    if (letter >= 'A' && letter <= 'Z') letter += 'a' - 'A';
  }
  return text;
}

std::optional<FileFormat> FormatOfName(const std::string& path) {
  std::string name = LowerCase(path);
  for (const std::string_view suffix : {".gz", ".zst", ".zstd"}) {
    if (!name.ends_with(suffix)) continue;
    name.resize(name.size() - suffix.size());
    break;
  }
  const auto ends = [&](std::string_view suffix) {
    return name.ends_with(suffix);
  };
  if (ends(".tsv") || ends(".tab")) return FileFormat::kTsv;
  if (ends(".csv")) return FileFormat::kCsv;
  if (ends(".jsonl") || ends(".ndjson") || ends(".json")) {
    return FileFormat::kJsonl;
  }
  return std::nullopt;
}

FileFormat FormatOfLine(std::string_view line) {
  if (line.starts_with('{') || line.starts_with('[')) return FileFormat::kJsonl;
  return line.find('\t') != std::string_view::npos ? FileFormat::kTsv
                                                   : FileFormat::kCsv;
}

// One file on its way from lines to batches.
class Importer {
 public:
  Importer(std::string name, const ImportOptions& options, SeenIds& seen,
           const ImportCallbacks& callbacks)
      : name_(std::move(name)),
        options_(options),
        seen_(seen),
        callbacks_(callbacks) {
    for (const auto& [column, field] : options.map) {
      map_[ColumnName(column)] = field;
    }
    rules_ = {.type = options.type, .id_prefix = options.id_prefix};
  }

  absl::StatusOr<ImportStats> Run(ByteSource& source);

 private:
  absl::Status ReadLines(ByteSource& source);
  absl::Status ReadDelimited(LineReader& lines, bool csv);
  absl::Status ReadHeader(const Record& header);
  absl::Status ReadJsonl(LineReader& lines);
  absl::StatusOr<RawRow> RowOf(Record& record) const;

  // Takes row or error of a line; fails only where the run must stop.
  absl::Status TakeRow(absl::StatusOr<RawRow> row, int64_t line,
                       std::string_view text);
  absl::StatusOr<Entity> EntityOf(RawRow row);
  absl::Status Deliver();
  void Report(int64_t line, const std::string& reason, std::string_view text);

  const std::string name_;
  const ImportOptions& options_;
  SeenIds& seen_;
  const ImportCallbacks& callbacks_;
  std::map<std::string, std::string> map_;
  RowRules rules_;
  std::vector<Column> columns_;
  std::vector<Entity> batch_;
  int64_t num_rows_ = 0;
  ImportStats stats_;
};

absl::StatusOr<ImportStats> Importer::Run(ByteSource& source) {
  const absl::Status read = ReadLines(source);
  RETURN_IF_ERROR(Deliver());  // good lines before a damage are kept
  RETURN_IF_ERROR(read);
  return stats_;
}

absl::Status Importer::ReadLines(ByteSource& source) {
  LineReader lines(source, [this](int64_t bytes) {
    if (callbacks_.progress) callbacks_.progress(bytes);
  });
  Line first;
  do {
    ASSIGN_OR_RETURN(const bool found, lines.Next(first));
    if (!found) return absl::OkStatus();
  } while (first.text.empty());
  if (first.text.starts_with("\xff\xfe") ||
      first.text.starts_with("\xfe\xff")) {
    return absl::InvalidArgumentError(
        name_ + " is UTF-16; save it as UTF-8 and import it again");
  }
  const FileFormat format = options_.format.value_or(
      FormatOfName(name_).value_or(FormatOfLine(first.text)));
  if (format == FileFormat::kJsonl && first.text.starts_with('[')) {
    return absl::InvalidArgumentError(
        name_ +
        " is one JSON array; write one object a line (JSONL), as "
        "`jq -c '.[]'` does");
  }
  lines.PutBack(std::move(first));
  if (format == FileFormat::kJsonl) return ReadJsonl(lines);
  return ReadDelimited(lines, format == FileFormat::kCsv);
}

absl::Status Importer::ReadHeader(const Record& header) {
  if (!header.error.empty()) {
    return absl::InvalidArgumentError(fmt::format(
        "{}:{}: no names of columns: {}", name_, header.line, header.error));
  }
  columns_ = MapColumns(header.fields, map_);
  std::vector<std::string> names;
  names.reserve(header.fields.size());
  for (const std::string& name : header.fields) {
    names.push_back(ColumnName(name));
  }
  for (const auto& [column, field] : options_.map) {
    if (std::count(names.begin(), names.end(), ColumnName(column)) != 0) {
      continue;
    }
    return absl::InvalidArgumentError(
        fmt::format("{} has no column \"{}\" to map to {}; its columns are {}",
                    name_, column, field, fmt::join(names, ", ")));
  }
  const bool titled =
      std::any_of(columns_.begin(), columns_.end(), [&](const Column& column) {
        return column.field == Field::kTitle || column.field == Field::kShow ||
               column.field == Field::kEpisode ||
               (options_.type == EntityType::kArtist &&
                column.field == Field::kArtist) ||
               (options_.type == EntityType::kAlbum &&
                column.field == Field::kAlbum);
      });
  if (titled) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "{}:{}: no column names a title; the columns are {}; map one to title",
      name_, header.line, fmt::join(names, ", ")));
}

absl::Status Importer::ReadDelimited(LineReader& lines, bool csv) {
  const auto next = csv ? NextCsvRecord : NextTsvRecord;
  Record record;
  ASSIGN_OR_RETURN(bool found, next(lines, record));
  if (!found) return absl::OkStatus();
  RETURN_IF_ERROR(ReadHeader(record));
  while (true) {
    ASSIGN_OR_RETURN(found, next(lines, record));
    if (!found) return absl::OkStatus();
    auto row = RowOf(record);
    RETURN_IF_ERROR(TakeRow(std::move(row), record.line, record.text));
  }
}

absl::StatusOr<RawRow> Importer::RowOf(Record& record) const {
  if (!record.error.empty()) return absl::InvalidArgumentError(record.error);
  if (record.fields.size() != columns_.size()) {
    return absl::InvalidArgumentError(
        fmt::format("{} columns, the header has {}", record.fields.size(),
                    columns_.size()));
  }
  RawRow row;
  for (size_t i = 0; i < columns_.size(); ++i) {
    row.Set(columns_[i], std::move(record.fields[i]));
  }
  return row;
}

absl::Status Importer::ReadJsonl(LineReader& lines) {
  Line line;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, lines.Next(line));
    if (!found) return absl::OkStatus();
    if (line.text.find_first_not_of(" \t") == std::string::npos) continue;
    auto row = line.too_long
                   ? absl::InvalidArgumentError(fmt::format(
                         "the line is longer than {} bytes", kMaxLineBytes))
                   : ParseJsonRow(line.text, map_);
    RETURN_IF_ERROR(TakeRow(std::move(row), line.number, line.text));
  }
}

absl::Status Importer::TakeRow(absl::StatusOr<RawRow> row, int64_t line,
                               std::string_view text) {
  ++num_rows_;
  if (!row.ok()) {
    Report(line, Message(row.status()), text);
    return absl::OkStatus();
  }
  auto entity = EntityOf(*std::move(row));
  if (!entity.ok()) {
    Report(line, Message(entity.status()), text);
    return absl::OkStatus();
  }
  batch_.push_back(*std::move(entity));
  return batch_.size() >= options_.batch_rows ? Deliver() : absl::OkStatus();
}

absl::StatusOr<Entity> Importer::EntityOf(RawRow row) {
  bool source_id = false;
  ASSIGN_OR_RETURN(Entity entity,
                   MakeEntity(std::move(row), rules_, source_id));
  if (source_id) RETURN_IF_ERROR(seen_.Add(entity, name_));
  if (options_.popularity == PopularityFrom::kRowOrder) {
    entity.popularity = 1.0 / static_cast<double>(num_rows_);
  }
  return entity;
}

absl::Status Importer::Deliver() {
  if (batch_.empty()) return absl::OkStatus();
  stats_.entities += static_cast<int64_t>(batch_.size());
  return callbacks_.entities(std::exchange(batch_, {}));
}

void Importer::Report(int64_t line, const std::string& reason,
                      std::string_view text) {
  ++stats_.bad_lines;
  if (!callbacks_.bad_line) return;
  callbacks_.bad_line({.file = name_,
                       .line = line,
                       .reason = reason,
                       .text = std::string(text.substr(0, kReportedBytes))});
}

}  // namespace

absl::Status SeenIds::Add(const Entity& entity, const std::string& file) {
  const auto name = static_cast<uint32_t>(
      NameHash(entity.type, entity.title, entity.artist, ""));
  if (files_.empty() || files_.back() != file) files_.push_back(file);
  const auto index = static_cast<uint32_t>(files_.size() - 1);
  const auto [entry, is_new] =
      seen_.try_emplace(Hash64(entity.id), Seen{name, index});
  if (is_new || entry->second.name == name) return absl::OkStatus();
  return absl::AlreadyExistsError(fmt::format(
      "id {} is that of another title in {}; import one of them with an id "
      "prefix",
      entity.id, files_[entry->second.file]));
}

absl::StatusOr<ImportStats> ReadCatalogueFile(
    const std::string& path, const ImportOptions& options, SeenIds& seen,
    const ImportCallbacks& callbacks) {
  ASSIGN_OR_RETURN(const auto source, OpenByteSource(path));
  return Importer(path, options, seen, callbacks).Run(*source);
}

absl::StatusOr<ImportStats> ReadCatalogueBytes(
    std::string_view bytes, const std::string& name,
    const ImportOptions& options, SeenIds& seen,
    const ImportCallbacks& callbacks) {
  ASSIGN_OR_RETURN(const auto source, ReadBytes(bytes, name));
  return Importer(name, options, seen, callbacks).Run(*source);
}

}  // namespace quaver
