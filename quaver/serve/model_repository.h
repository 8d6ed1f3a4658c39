// The models in a repository's folders: which of them are loaded, and when.
//
//   KserveModels models(metrics);
//   ASSIGN_OR_RETURN(auto repository, ModelRepository::Open(
//       {.folders = {"models"}}, backends, models));
//   RETURN_IF_ERROR(repository->Start());
//
// Law
//
// A load reads the configuration, makes every version that its policy names,
// warms each up, and then replaces all versions of the name at once. Until
// then, and for good when one of them fails, those that were ready stay so.
// Requests in flight keep the version that they began with; its memory goes
// back when the last of them ends.
//
// Loads and unloads of one name take turns; others run side by side.
//
// When nothing but the counts of the instance groups changed, the model is not
// loaded anew: it is told by Servable::Resize. It does not matter whether the
// folder or an override says so. A model that cannot is loaded, and the log
// says so; so is one whose groups name several host policies.
//
// An ensemble is ready after the models of its steps. In explicit mode they are
// loaded with it; when one of them is unloaded, the ensemble is, too. When one
// is replaced, also further down, the ensemble's cached answers are forgotten:
// none that is older is given once the load has returned.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/mutex.h"
#include "quaver/base/status.h"
#include "quaver/serve/backend.h"
#include "quaver/serve/internal/loader_threads.h"
#include "quaver/serve/kserve_models.h"
#include "quaver/serve/model_loader.h"
#include "quaver/serve/model_repository_files.h"

namespace quaver {

enum class ModelControl {
  kNone,      // all models at the start, no changes
  kPoll,      // all models; changes of the folders are looked for
  kExplicit,  // those that are asked for
};

struct ModelRepositoryConfig {
  std::vector<std::string> folders;
  ModelControl control = ModelControl::kNone;
  std::vector<std::string> load_models;  // of kExplicit, at the start; "*": all
  int64_t poll_us = 15'000'000;          // between two looks at the folders
  // Without: config.pbtxt has to name the backend, inputs and outputs.
  bool auto_complete = true;
  int num_load_threads = 4;  // models loaded at once at the start
  int num_load_retries = 0;  // of each load that fails
  std::string config_name;   // of configs/<config_name>.pbtxt; "": config.pbtxt
  // Cores by the name of a host policy.
  std::map<std::string, std::vector<int>> host_policies;
  std::shared_ptr<ResponseCache> cache;  // of all models; null: none
};

// What a load request may bring with it.
struct LoadOverride {
  std::optional<std::string> config;         // JSON, in place of config.pbtxt
  std::map<std::string, std::string> files;  // "1/model.plan" -> content, in
                                             // place of the model's folder
};

// Thread-safe. Loading blocks the caller.
class ModelRepository {
 public:
  // NotFound for a folder that is none; InvalidArgument for an empty host
  // policy or a number out of range. Loads nothing. `models` outlives this.
  static absl::StatusOr<std::unique_ptr<ModelRepository>> Open(
      ModelRepositoryConfig config, Backends backends, KserveModels& models);
  // Stops polling; the models stay.
  ~ModelRepository();

  // Loads what the control mode says and, in kPoll, begins to poll. The error
  // names all models that failed; the others are ready.
  absl::Status Start();

  // InvalidArgument for a model that is not there, or whose files or
  // configuration are wrong; Unavailable outside of kExplicit.
  absl::Status Load(const std::string& name, const LoadOverride& with = {});
  // Returns when the memory is given back, or after kUnloadWaitUs. OK for what
  // is not loaded. `dependents`: the models of an ensemble's steps, too, as
  // Triton calls them. InvalidArgument for a name that is no model's of the
  // folders; Unavailable outside of kExplicit.
  absl::Status Unload(const std::string& name, bool dependents = false);
  static constexpr int64_t kUnloadWaitUs = 30'000'000;

  // One look at the folders: loads what is new or changed, unloads what is
  // gone. Errors are logged and in the index, and tried again when the files
  // change.
  void Poll() ABSL_LOCKS_EXCLUDED(mutex_);

  // With models of the folders that were never asked for.
  std::vector<ModelEntry> Index() const;
  // Unavailable until Start returned, and while a model that was asked for has
  // no version that is ready.
  absl::Status Ready() const;

  ModelControl control() const { return config_.control; }

 private:
  // What a load has found.
  struct Candidate {
    ModelConfig config;
    std::string folder;
    std::vector<int64_t> versions;
    // Fingerprint without configurations; 0: of files that came with the load.
    uint64_t files = 0;
    std::shared_ptr<TemporaryModel> temporary;  // null: as the folder lies
  };
  // What is served of it.
  struct Loaded {
    std::shared_ptr<const inference::ModelConfig> source;
    uint64_t files = 0;
  };
  using Releases = std::vector<std::shared_ptr<ModelRelease>>;
  class Turn;
  ModelRepository(ModelRepositoryConfig config, Backends backends,
                  KserveModels& models);

  absl::Status CheckControl(const std::string& name) const;
  // A load or unload of any model that waits for its turn holds no other turn
  // but that of ensembles, or those of the ensembles that it belongs to.
  absl::Status LoadModel(const std::string& name, const LoadOverride& with,
                         bool in_ensemble = false);
  absl::Status LoadOnce(const std::string& name, const LoadOverride& with,
                        bool in_ensemble);
  absl::StatusOr<Candidate> Prepare(const std::string& name,
                                    const LoadOverride& with) const;
  // InvalidArgument when the steps lead back to one of `above`, or further
  // down than any real ensemble.
  absl::Status CheckCircles(const ModelConfig& config,
                            std::vector<std::string> above) const;
  absl::Status LoadInTurn(const Candidate& candidate)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status LoadSteps(const ModelConfig& ensemble);
  absl::StatusOr<std::vector<std::shared_ptr<KserveModel>>> MakeVersions(
      const Candidate& candidate);
  // Whether nothing but the number of instances had to change, and could.
  bool Resize(const Candidate& candidate) ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets what ensembles answered that have the model, at any depth.
  void RenewAnswersOf(const std::string& model, size_t depth = 0);
  void Fail(const std::string& name, const std::vector<int64_t>& versions,
            const absl::Status& why);
  absl::Status LoadAll(const std::vector<std::string>& names)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status LoadAtStart() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status PollFolders() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<std::string>> NamesToUnload(
      const std::string& name, bool dependents) const;
  void UnloadModel(const std::string& name, const std::string& reason,
                   Releases& releases) ABSL_LOCKS_EXCLUDED(mutex_);
  // What a model serves or, where it serves nothing, its file says.
  absl::StatusOr<ModelConfig> ConfigOf(const std::string& name) const;
  bool IsEnsemble(const std::string& name) const;
  void PollUntilStopped();
  bool stopping() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_;
  }

  const ModelRepositoryConfig config_;
  ModelLoader loader_;
  LoaderThreads threads_;
  KserveModels& models_;
  mutable Mutex mutex_;
  std::set<std::string> busy_ ABSL_GUARDED_BY(mutex_);  // names in their turn
  std::map<std::string, Loaded> loaded_ ABSL_GUARDED_BY(mutex_);
  // Of the last try in kPoll, whether it succeeded or not.
  std::map<std::string, uint64_t> polled_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> wanted_ ABSL_GUARDED_BY(mutex_);  // for Ready
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread poller_;
};

// Unavailable where nobody may ask for a load or an unload: outside of
// kExplicit, and without a repository (null).
absl::Status CheckExplicit(const ModelRepository* repository);

}  // namespace quaver
