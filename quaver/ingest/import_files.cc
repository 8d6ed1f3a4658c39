// See import_files.h.
#include "quaver/ingest/import_files.h"

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "quaver/base/progress.h"

namespace quaver {
namespace {

int64_t FileBytes(const std::string& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(bytes);
}

}  // namespace

absl::StatusOr<ImportReport> ImportFiles(const std::vector<std::string>& files,
                                         const ImportOptions& options,
                                         const std::string& folder,
                                         bool progress, CatalogueStore& store) {
  const std::string rejected_path = folder + "/rejected.tsv";
  ASSIGN_OR_RETURN(const auto rejected, RejectedFile::Create(rejected_path));
  ImportReport report;
  SeenIds seen;
  for (const std::string& file : files) {
    std::unique_ptr<Progress> bar;
    if (progress) {
      const std::string name = std::filesystem::path(file).filename().string();
      bar =
          std::make_unique<Progress>("read " + name, "bytes", FileBytes(file));
    }
    ImportCallbacks callbacks;
    callbacks.entities = [&](std::vector<Entity> batch) {
      return store.Upsert(batch).status();
    };
    callbacks.bad_line = [&](const BadLine& line) { rejected->Add(line); };
    callbacks.progress = [&](int64_t bytes) {
      if (bar) bar->Update(bytes);
    };
    ASSIGN_OR_RETURN(const ImportStats stats,
                     ReadCatalogueFile(file, options, seen, callbacks));
    report.entities += stats.entities;
    report.bad_lines += stats.bad_lines;
  }
  RETURN_IF_ERROR(rejected->Finish());
  if (report.bad_lines > 0) {
    report.rejected_file = rejected_path;
  } else {
    std::error_code ignored;
    std::filesystem::remove(rejected_path, ignored);
  }
  return report;
}

}  // namespace quaver
