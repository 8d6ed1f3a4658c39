// See kserve_models.h.
#include "quaver/serve/kserve_models.h"

#include <utility>

namespace quaver {

absl::Status KserveModels::Add(const std::string& name,
                               std::shared_ptr<Servable> servable,
                               int max_batch_size) {
  if (models_.contains(name)) {
    return absl::AlreadyExistsError(
        fmt::format("there is a model '{}' already", name));
  }
  ASSIGN_OR_RETURN(ModelConfig config,
                   CompleteConfig(name, *servable, max_batch_size));
  models_.emplace(name, std::make_unique<KserveModel>(
                            std::move(config), std::move(servable), metrics_));
  return absl::OkStatus();
}

absl::StatusOr<KserveModel*> KserveModels::Find(
    const std::string& name, const std::string& version) const {
  const auto found = models_.find(name);
  if (found == models_.end()) {
    return absl::InvalidArgumentError(
        fmt::format("Request for unknown model: '{}' is not found", name));
  }
  if (!version.empty() && version != kModelVersion) {
    return absl::NotFoundError(
        fmt::format("Request for unknown model: '{}' version {} is not found",
                    name, version));
  }
  return found->second.get();
}

}  // namespace quaver
