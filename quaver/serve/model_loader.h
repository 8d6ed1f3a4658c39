// One version of a model: from files and a configuration to something that can
// be asked.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/response_cache.h"
#include "quaver/serve/backend.h"
#include "quaver/serve/kserve_models.h"

namespace quaver {

// The core of each instance, in the groups' order, by the cores of their host
// policies; empty when no group names a policy. InvalidArgument for a policy
// that is none, or when only some groups name one.
absl::StatusOr<std::vector<int>> CoresOf(
    const ModelConfig& config,
    const std::map<std::string, std::vector<int>>& host_policies);

struct ModelLoaderConfig {
  bool auto_complete = true;
  std::shared_ptr<ResponseCache> cache;  // null: nothing is cached
};

// Thread-safe.
class ModelLoader {
 public:
  // `models` outlives it and what it makes: an ensemble finds its members
  // there.
  ModelLoader(ModelLoaderConfig config, Backends backends, KserveModels& models)
      : config_(std::move(config)),
        backends_(std::move(backends)),
        models_(models) {}

  // Made by the backend, behind a batcher, single flight and the cache where
  // the configuration asks for them, and warm. `config` is what config.pbtxt
  // says; the model's own is complete. InvalidArgument, besides the backend's
  // errors, for a backend that is none and what CompleteConfig and
  // CheckBatcherConfig refuse.
  absl::StatusOr<std::shared_ptr<KserveModel>> Load(
      ModelConfig config, const std::string& model_folder) const;

 private:
  absl::StatusOr<std::shared_ptr<Servable>> MakeBackend(
      const std::string& model_folder, ModelConfig& config) const;
  absl::StatusOr<std::shared_ptr<Servable>> MakeEnsemble(
      const ModelConfig& config) const;
  absl::Status ChooseBackend(const std::string& version_folder,
                             ModelConfig& config) const;
  absl::StatusOr<std::shared_ptr<Servable>> Schedule(
      const ModelConfig& config, std::shared_ptr<Servable> servable) const;

  const ModelLoaderConfig config_;
  const Backends backends_;
  KserveModels& models_;
};

}  // namespace quaver
