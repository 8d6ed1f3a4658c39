// The models of a server by name, with what was asked of them.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "quaver/base/metrics.h"
#include "quaver/base/status.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/kserve_model.h"
#include "quaver/serve/kserve_statistics.h"

namespace quaver {

struct KserveModel {
  KserveModel(ModelConfig model_config, std::shared_ptr<Servable> model,
              Metrics& metrics)
      : config(std::move(model_config)),
        servable(std::move(model)),
        statistics(config.name, kModelVersion, metrics) {}

  const ModelConfig config;
  const std::shared_ptr<Servable> servable;
  ModelStatistics statistics;
};

// Filled at start-up, then read-only and thread-safe. `metrics` outlives it.
class KserveModels {
 public:
  explicit KserveModels(Metrics& metrics) : metrics_(metrics) {}

  // Errors as CompleteConfig's; AlreadyExists when the name is taken.
  absl::Status Add(const std::string& name, std::shared_ptr<Servable> servable,
                   int max_batch_size);

  // `version`: "" for the newest. InvalidArgument for a name that is none,
  // NotFound for a version that it has not, as in Triton.
  absl::StatusOr<KserveModel*> Find(const std::string& name,
                                    const std::string& version = "") const;

  const std::map<std::string, std::unique_ptr<KserveModel>>& all() const {
    return models_;
  }

 private:
  Metrics& metrics_;
  std::map<std::string, std::unique_ptr<KserveModel>> models_;
};

}  // namespace quaver
