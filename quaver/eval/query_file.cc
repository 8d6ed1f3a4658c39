// Reads and writes query sets, and makes them from a catalogue.
#include "quaver/eval/query_file.h"

#include <algorithm>
#include <filesystem>

#include "quaver/base/file.h"
#include "quaver/eval/tsv.h"
#include "quaver/noise/search_texts.h"

namespace quaver {
namespace {

constexpr size_t kColumns = 4;

std::string Field(std::string text) {
  for (char& c : text) {
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

}  // namespace

absl::StatusOr<QuerySet> ReadQuerySet(const std::string& path) {
  QuerySet set = {std::filesystem::path(path).stem().string(), {}};
  RETURN_IF_ERROR(ForEachRow(path, [&](const auto& columns) -> absl::Status {
    if (columns.size() != kColumns) {
      return absl::InvalidArgumentError(fmt::format(
          "expected query, corrected, title and artist, got {} columns",
          columns.size()));
    }
    set.rows.push_back({std::string(columns[0]), std::string(columns[1]),
                        std::string(columns[2]), std::string(columns[3])});
    return absl::OkStatus();
  }));
  return set;
}

absl::StatusOr<std::vector<QuerySet>> ReadQuerySets(const std::string& path) {
  std::vector<std::string> files;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    for (std::filesystem::directory_iterator i(path, error), end; i != end;
         i.increment(error)) {
      if (i->path().extension() == ".tsv") files.push_back(i->path().string());
    }
    std::sort(files.begin(), files.end());
  } else {
    files.push_back(path);
  }
  if (files.empty()) {
    return absl::NotFoundError(
        fmt::format("{} holds no query set, no file *.tsv", path));
  }
  std::vector<QuerySet> sets;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(QuerySet set, ReadQuerySet(file));
    sets.push_back(std::move(set));
  }
  return sets;
}

absl::Status WriteQuerySet(const std::string& folder, const QuerySet& set) {
  std::string content;
  for (const QueryRow& row : set.rows) {
    content +=
        fmt::format("{}\t{}\t{}\t{}\n", Field(row.query), Field(row.corrected),
                    Field(row.title), Field(row.artist));
  }
  RETURN_IF_ERROR(MakeFolders(folder));
  return WriteFileAtomically(fmt::format("{}/{}.tsv", folder, set.name),
                             content);
}

absl::StatusOr<std::vector<QuerySet>> MakeSets(const MakeSetsConfig& config) {
  ASSIGN_OR_RETURN(const SearchTexts texts, ReadSearchTexts(config.catalogue));
  Misspellings misspellings = Misspellings::Common();
  if (!config.misspellings.empty()) {
    ASSIGN_OR_RETURN(misspellings, Misspellings::Load(config.misspellings));
  }
  const Noise noise({}, std::move(misspellings));
  std::vector<QuerySet> sets;
  for (const SetKind kind : config.kinds) {
    auto rows = MakeQuerySet(kind, texts, noise, config.set);
    const bool may_lack =
        kind == SetKind::kBroad || kind == SetKind::kCleanBroad ||
        kind == SetKind::kUnseen || kind == SetKind::kUnseenPartial;
    if (may_lack && absl::IsFailedPrecondition(rows.status())) continue;
    RETURN_IF_ERROR(rows.status());
    sets.push_back({std::string(Name(kind)), *std::move(rows)});
    RETURN_IF_ERROR(WriteQuerySet(config.folder, sets.back()));
  }
  return sets;
}

}  // namespace quaver
