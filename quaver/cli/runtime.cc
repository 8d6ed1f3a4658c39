// See runtime.h.
#include "quaver/cli/runtime.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "quaver/artifact/model_identity.h"
#include "quaver/backends/corrector_servable.h"
#include "quaver/base/log.h"
#include "quaver/base/workers.h"
#include "quaver/cli/plans.h"
#include "quaver/ingest/index_folder.h"
#include "quaver/kernels/kernels.h"

namespace quaver {
namespace {

// A server may replace segments between the reading of index.json and the
// opening of what it names; then index.json is new, too.
constexpr int kOpenAttempts = 5;

absl::Status OpenIndex(const std::string& folder, const ModelIdentity& model,
                       Manifest& manifest, Snapshot& snapshot) {
  for (int attempt = 1;; ++attempt) {
    ASSIGN_OR_RETURN(manifest, LoadManifest(folder));
    RETURN_IF_ERROR(CheckModel(manifest, model, folder));
    auto opened = OpenSnapshot(folder, manifest);
    if (opened.ok()) {
      snapshot = *std::move(opened);
      return absl::OkStatus();
    }
    if (!absl::IsNotFound(opened.status()) || attempt == kOpenAttempts) {
      return opened.status();
    }
  }
}

Instances Capped(const Instances& wanted) {
  const int threads = std::clamp(wanted.threads, 1, AvailableCores());
  return {std::min(wanted.count, AvailableCores() / threads), threads};
}

}  // namespace

std::string DefaultModelFolder() {
  std::error_code error;
  const auto binary = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return "models/minilm";
  return (binary.parent_path().parent_path() / "models/minilm").string();
}

std::string DefaultCorrectorFolder() {
  std::error_code error;
  const auto binary = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto above = binary.parent_path().parent_path().parent_path();
  const auto folder = above / "models/corrector";
  const bool is_there = !error && std::filesystem::is_directory(folder, error);
  return is_there ? folder.string() : kNoCorrector;
}

std::vector<std::string> TypeNames() {
  std::vector<std::string> names;
  for (int type = 0; type < kNumEntityTypes; ++type) {
    names.emplace_back(Name(static_cast<EntityType>(type)));
  }
  return names;
}

int CappedThreads(int wanted) {
  const int cores = AvailableCores();
  if (wanted <= cores) return wanted;
  LogWarning("--threads {}: there are {} cores, so that {} threads compute",
             wanted, cores, cores);
  return cores;
}

absl::StatusOr<std::shared_ptr<EncoderServable>> LoadEncoder(
    const std::string& model_folder, const Instances& instances) {
  ASSIGN_OR_RETURN(const std::string plan, ReadyPlan(model_folder));
  const auto [count, threads] = Capped(instances);
  ASSIGN_OR_RETURN(auto encoder,
                   EncoderServable::Create({.model_folder = plan,
                                            .num_instances = count,
                                            .threads_per_instance = threads},
                                           BestKernels()));
  return std::shared_ptr<EncoderServable>(std::move(encoder));
}

absl::StatusOr<SearchConfig> LoadCorrector(const std::string& corrector_folder,
                                           const Instances& instances,
                                           ServableRegistry& servables) {
  SearchConfig config;
  if (corrector_folder == kNoCorrector) return config;
  ASSIGN_OR_RETURN(const std::string plan, ReadyPlan(corrector_folder));
  const auto [count, threads] = Capped(instances);
  ASSIGN_OR_RETURN(auto corrector,
                   CorrectorServable::Create({.model_folder = plan,
                                              .num_instances = count,
                                              .threads_per_instance = threads},
                                             BestKernels()));
  config.corrector = "corrector";
  RETURN_IF_ERROR(servables.Add(config.corrector, std::move(corrector)));
  return config;
}

absl::StatusOr<std::unique_ptr<ReadOnlySearch>> OpenReadOnly(
    const std::string& index_folder, const std::string& model_folder,
    const std::string& corrector_folder) {
  auto search = std::make_unique<ReadOnlySearch>();
  ASSIGN_OR_RETURN(const ModelIdentity model, IdentifyModel(model_folder));
  Snapshot snapshot;
  RETURN_IF_ERROR(OpenIndex(index_folder, model, search->manifest, snapshot));
  search->snapshot = std::make_shared<const Snapshot>(std::move(snapshot));
  ASSIGN_OR_RETURN(auto encoder, LoadEncoder(model_folder, {.count = 1}));
  RETURN_IF_ERROR(search->servables.Add("encoder", std::move(encoder)));
  ASSIGN_OR_RETURN(
      SearchConfig config,
      LoadCorrector(corrector_folder, {.count = 1}, search->servables));
  ASSIGN_OR_RETURN(
      search->bar,
      SearchBar::Create(std::move(config), search->servables,
                        [shared = search->snapshot] { return shared; }));
  return search;
}

}  // namespace quaver
