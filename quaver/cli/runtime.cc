// See runtime.h.
#include "quaver/cli/runtime.h"

#include <filesystem>
#include <system_error>

#include "quaver/ingest/index_folder.h"
#include "quaver/ingest/model_identity.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

std::string DefaultModelFolder() {
  std::error_code error;
  const auto binary = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return "models/minilm";
  return (binary.parent_path().parent_path() / "models/minilm").string();
}

absl::StatusOr<std::shared_ptr<EncoderServable>> LoadEncoder(
    const std::string& model_folder, int num_instances) {
  ASSIGN_OR_RETURN(auto encoder,
                   EncoderServable::Create({.model_folder = model_folder,
                                            .num_instances = num_instances},
                                           BestKernels()));
  return std::shared_ptr<EncoderServable>(std::move(encoder));
}

absl::StatusOr<std::unique_ptr<ReadOnlySearch>> OpenReadOnly(
    const std::string& index_folder, const std::string& model_folder) {
  auto search = std::make_unique<ReadOnlySearch>();
  ASSIGN_OR_RETURN(search->manifest, LoadManifest(index_folder));
  ASSIGN_OR_RETURN(const ModelIdentity model, IdentifyModel(model_folder));
  RETURN_IF_ERROR(CheckModel(search->manifest, model, index_folder));
  ASSIGN_OR_RETURN(Snapshot snapshot,
                   OpenSnapshot(index_folder, search->manifest));
  search->snapshot = std::make_shared<const Snapshot>(std::move(snapshot));
  ASSIGN_OR_RETURN(auto encoder, LoadEncoder(model_folder, 1));
  RETURN_IF_ERROR(search->servables.Add("encoder", std::move(encoder)));
  ASSIGN_OR_RETURN(search->bar, SearchBar::Create({}, search->servables,
                                                  [shared = search->snapshot] {
                                                    return shared;
                                                  }));
  return search;
}

}  // namespace quaver
