// quaver ingest: catalogue files into an index folder.
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "quaver/base/clock.h"
#include "quaver/base/file.h"
#include "quaver/cli/commands.h"
#include "quaver/cli/runtime.h"
#include "quaver/ingest/build_index.h"
#include "quaver/ingest/import_files.h"

namespace quaver {
namespace {

struct IngestOptions {
  std::string folder;
  std::string model = DefaultModelFolder();
  std::vector<std::string> files;
  std::string type;
  std::vector<std::string> map;
  std::string popularity = "column";
  std::string id_prefix;
  int threads = 0;
  bool quiet = false;
};

absl::StatusOr<ImportOptions> MakeImportOptions(const IngestOptions& options) {
  ImportOptions import;
  import.id_prefix = options.id_prefix;
  if (options.popularity == "rank") {
    import.popularity = PopularityFrom::kRowOrder;
  }
  if (!options.type.empty()) {
    ASSIGN_OR_RETURN(import.type, ParseEntityType(options.type));
  }
  for (const std::string& pair : options.map) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) {
      return absl::InvalidArgumentError(
          fmt::format("--map {}: expected COLUMN=FIELD", pair));
    }
    import.map[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return import;
}

void Print(const ImportReport& import, const BuildReport& build,
           const std::string& folder, int64_t elapsed_us) {
  std::cout << fmt::format(
      "{} rows read; {} documents in {} ({} texts embedded, {} reused) in "
      "{:.1f} s\n",
      import.entities, build.documents, folder, build.embedded, build.reused,
      static_cast<double>(elapsed_us) / 1e6);
  if (import.bad_lines > 0) {
    std::cout << fmt::format("{} bad lines were left out; see {}\n",
                             import.bad_lines, import.rejected_file);
  }
}

absl::Status Ingest(const IngestOptions& options) {
  const Stopwatch watch;
  ASSIGN_OR_RETURN(const ImportOptions import_options,
                   MakeImportOptions(options));
  ASSIGN_OR_RETURN(const ModelIdentity model, IdentifyModel(options.model));
  RETURN_IF_ERROR(MakeFolders(options.folder));
  ASSIGN_OR_RETURN(const auto lock, FolderLock::Take(options.folder));
  ASSIGN_OR_RETURN(const auto store,
                   CatalogueStore::Open(options.folder + "/catalogue.db"));
  ASSIGN_OR_RETURN(const ImportReport import,
                   ImportFiles(options.files, import_options, options.folder,
                               !options.quiet, *store));
  const int threads = CappedThreads(options.threads);
  ASSIGN_OR_RETURN(const auto encoder,
                   LoadEncoder(options.model, {.count = threads}));
  ASSIGN_OR_RETURN(const BuildReport build,
                   BuildIndex({.folder = options.folder,
                               .model = model,
                               .num_threads = threads,
                               .progress = !options.quiet},
                              *store, *encoder));
  Print(import, build, options.folder, watch.ElapsedUs());
  return absl::OkStatus();
}

}  // namespace

void AddIngestCommand(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "ingest",
      "Add catalogue files (TSV, CSV, JSONL; plain, gzip, zstd) to an index");
  const auto options = std::make_shared<IngestOptions>();
  command->add_option("--out", options->folder, "Folder of the index")
      ->required();
  command
      ->add_option("--model", options->model,
                   "Plan of the encoder, or its folder, which is compiled once")
      ->capture_default_str();
  command
      ->add_option("--type", options->type,
                   "Type of every row; default: from the columns")
      ->check(CLI::IsMember(TypeNames()));
  command
      ->add_option("--map", options->map,
                   "COLUMN=FIELD, or COLUMN=- to leave it out; repeatable")
      ->allow_extra_args(false);  // what follows is a file
  command
      ->add_option("--popularity", options->popularity,
                   "column: as the popularity column says; rank: rows are in "
                   "order of popularity, greatest first")
      ->check(CLI::IsMember({"column", "rank"}))
      ->capture_default_str();
  command->add_option("--id-prefix", options->id_prefix,
                      "Put before every id of these files");
  command
      ->add_option("--threads", options->threads,
                   "Threads that embed; 0: one a core")
      ->check(CLI::Range(0, kMaxThreads))
      ->capture_default_str();
  command->add_flag("--quiet", options->quiet, "No progress bars");
  command->add_option("FILE", options->files, "Catalogue files")->required();
  command->callback(
      [&action, options] { action = [options] { return Ingest(*options); }; });
}

}  // namespace quaver
