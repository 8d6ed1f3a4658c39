// One version of a model: from files and a configuration to something that can
// be asked.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/sched/response_cache.h"
#include "quaver/serve/backend.h"
#include "quaver/serve/kserve_models.h"

namespace quaver {

// Deals the cores of host policies to instances, in turn: those of one group,
// of further groups and of further models that name the same policy take
// successive cores of it, from the first again after the last. What a model had
// before it was loaded anew is not remembered. Thread-safe.
class HostPolicies {
 public:
  using Cores = std::map<std::string, std::vector<int>>;  // by policy

  explicit HostPolicies(Cores cores) : cores_(std::move(cores)) {}

  // ModelConfig::cores. When all groups name one policy, all its cores from the
  // next one on, so that there are some for more instances and for the threads
  // of each; when they name several, one for each instance, in the groups'
  // order; none when no group names any. InvalidArgument for a policy that is
  // none, or when only some groups name one.
  absl::StatusOr<std::vector<int>> Deal(const ModelConfig& config)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // From the policy's next one on; `num_instances` of them are taken.
  std::vector<int> DealOf(const std::string& policy, size_t num_cores,
                          int num_instances) ABSL_LOCKS_EXCLUDED(mutex_);

  const Cores cores_;
  Mutex mutex_;
  std::map<std::string, size_t> next_ ABSL_GUARDED_BY(mutex_);  // by policy
};

struct ModelLoaderConfig {
  bool auto_complete = true;
  std::shared_ptr<ResponseCache> cache;  // null: nothing is cached
  HostPolicies::Cores host_policies;
};

// Thread-safe.
class ModelLoader {
 public:
  // `models` outlives it and what it makes: an ensemble finds its members
  // there.
  ModelLoader(ModelLoaderConfig config, Backends backends, KserveModels& models)
      : config_(std::move(config)),
        host_policies_(config_.host_policies),
        backends_(std::move(backends)),
        models_(models) {}

  // Made by the backend, behind a batcher, single flight and the cache where
  // the configuration asks for them, and warm. `config` is what config.pbtxt
  // says; the model's own is complete. InvalidArgument, besides the backend's
  // errors, for a backend that is none and what HostPolicies, CompleteConfig
  // and CheckBatcherConfig refuse. What of dynamic_batching the backend does
  // not follow is logged as a warning.
  absl::StatusOr<std::shared_ptr<KserveModel>> Load(
      ModelConfig config, const std::string& model_folder);

 private:
  absl::StatusOr<std::shared_ptr<Servable>> MakeBackend(
      const std::string& model_folder, ModelConfig& config) const;
  absl::StatusOr<std::shared_ptr<Servable>> MakeEnsemble(
      const ModelConfig& config) const;
  absl::Status ChooseBackend(const std::string& version_folder,
                             ModelConfig& config) const;
  absl::StatusOr<std::shared_ptr<Servable>> Schedule(
      ModelConfig& config, std::shared_ptr<Servable> servable) const;
  // What `servable` is for a request: itself, or behind a cache.
  std::shared_ptr<KserveModel> Publishable(
      ModelConfig config, std::shared_ptr<Servable> servable) const;

  const ModelLoaderConfig config_;
  HostPolicies host_policies_;
  const Backends backends_;
  KserveModels& models_;
};

}  // namespace quaver
