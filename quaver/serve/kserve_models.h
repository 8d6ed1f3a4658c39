// The models of a server by name and version, with what was asked of them.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/metrics.h"
#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/sched/servable.h"
#include "quaver/serve/kserve_model.h"
#include "quaver/serve/kserve_statistics.h"

namespace quaver {

class CachingServable;

// Says when a model's memory has been given back. Thread-safe.
class ModelRelease {
 public:
  void Set() ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsSet() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns whether it is set.
  bool WaitFor(int64_t timeout_us) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  bool is_set() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return is_set_; }
  mutable Mutex mutex_;
  bool is_set_ ABSL_GUARDED_BY(mutex_) = false;
};

// One version of a model. Whoever holds it can ask it, whatever happens to the
// registry meanwhile.
struct KserveModel {
  KserveModel(ModelConfig model_config, std::shared_ptr<Servable> model,
              Metrics& metrics)
      : config(std::move(model_config)),
        servable(std::move(model)),
        counted(std::make_shared<ModelStatistics>(
            config.name, fmt::to_string(config.version), metrics,
            config.metric_tags, servable.get())),
        statistics(*counted) {}
  // The same with other words about it; what is counted goes on.
  KserveModel(ModelConfig model_config, const KserveModel& before)
      : config(std::move(model_config)),
        needs(before.needs),
        servable(before.servable),
        caching(before.caching),
        counted(before.counted),
        statistics(*counted) {}

  const ModelConfig config;
  // What the servable needs as long as it lives.
  std::vector<std::shared_ptr<void>> needs;
  const std::shared_ptr<Servable> servable;
  std::shared_ptr<CachingServable> caching;  // the servable, or null
  const std::shared_ptr<ModelStatistics> counted;
  ModelStatistics& statistics;
  std::shared_ptr<ModelRelease> release;  // null for the program's own
};

enum class ModelState { kUnknown, kReady, kUnavailable, kLoading, kUnloading };

// "READY" and so on.
std::string_view Name(ModelState state);

struct ModelEntry {
  std::string name;
  int64_t version = 0;  // 0: none is known
  ModelState state = ModelState::kUnknown;
  std::string reason;  // of a state, "" where there is none
};

// Thread-safe. Reading takes a snapshot and no lock while a model works.
// `metrics` outlives it.
class KserveModels {
 public:
  explicit KserveModels(Metrics& metrics) : metrics_(metrics) {}

  // A model of the program's own, its version 1. It stays. Errors as
  // CompleteConfig's; AlreadyExists when the name is taken.
  absl::Status Add(const std::string& name, std::shared_ptr<Servable> servable,
                   int max_batch_size) ABSL_LOCKS_EXCLUDED(mutex_);

  // `version`: "" for the newest. Of those that are ready: NotFound for a
  // name that is none or a version that it has not, Unavailable for one that is
  // being loaded for the first time.
  absl::StatusOr<std::shared_ptr<KserveModel>> Find(
      const std::string& name, const std::string& version = "") const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // All ready versions, by name, then ascending.
  std::vector<std::shared_ptr<KserveModel>> All() const
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::shared_ptr<KserveModel>> AllOf(const std::string& name) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Whose statistics are asked for; `name`: "" for all models, `version`: ""
  // for all of a name. InvalidArgument, in Triton's words, for what is not
  // ready.
  absl::StatusOr<std::vector<std::shared_ptr<KserveModel>>> FindCounted(
      const std::string& name, const std::string& version = "") const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Ready versions of a name, ascending.
  std::vector<int64_t> Versions(const std::string& name) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // All versions in all states, in the same order.
  std::vector<ModelEntry> Index() const ABSL_LOCKS_EXCLUDED(mutex_);

  // For who loads and unloads models; see model_repository.h.
  //
  // Not to be replaced or removed.
  bool IsOwn(const std::string& name) const ABSL_LOCKS_EXCLUDED(mutex_);
  // A model whose `release` is set once its last holder has let it go.
  std::shared_ptr<KserveModel> Make(ModelConfig config,
                                    std::shared_ptr<Servable> servable) const;
  std::shared_ptr<KserveModel> Make(ModelConfig config,
                                    const KserveModel& before) const;
  // From now on exactly these versions of the name are ready; those that were
  // so before are unloading, then unavailable for that reason. Returns them.
  std::vector<std::shared_ptr<KserveModel>> Publish(
      const std::string& name,
      std::vector<std::shared_ptr<KserveModel>> versions,
      const std::string& reason = "unloaded") ABSL_LOCKS_EXCLUDED(mutex_);
  // Of a version that is not ready. One that is stays so, with the reason.
  // Version 0 stands for all, until one has a state of its own.
  void SetState(const std::string& name, int64_t version, ModelState state,
                const std::string& reason = "") ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets what is neither ready nor unloading: the files are gone.
  void Forget(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using VersionMap = std::map<int64_t, std::shared_ptr<KserveModel>>;
  using Snapshot = std::map<std::string, VersionMap>;
  struct State {
    ModelState state = ModelState::kUnknown;
    std::string reason;
    std::shared_ptr<ModelRelease> release;  // of kUnloading
  };
  std::shared_ptr<const Snapshot> Ready() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsLoading(const std::string& name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Metrics& metrics_;
  mutable Mutex mutex_;
  std::shared_ptr<const Snapshot> ready_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<const Snapshot>();
  std::map<std::string, std::map<int64_t, State>> states_
      ABSL_GUARDED_BY(mutex_);
  std::set<std::string> own_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace quaver
