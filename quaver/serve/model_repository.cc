// See model_repository.h: control modes, polling, unloading, what is there.
#include "quaver/serve/model_repository.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "quaver/base/clock.h"
#include "quaver/base/log.h"
#include "quaver/base/workers.h"
#include "quaver/net/proto/model_config.pb.h"
#include "quaver/serve/internal/repository_turn.h"
#include "quaver/serve/model_config.h"

namespace quaver {
namespace {

constexpr char kPollTurn[] = "/poll";  // no model's name

std::vector<std::string> NamesOf(const std::vector<ModelFolder>& folders) {
  std::vector<std::string> names;
  for (const ModelFolder& folder : folders) {
    if (names.empty() || names.back() != folder.name) {
      names.push_back(folder.name);
    }
  }
  return names;
}

absl::Status CheckConfig(const ModelRepositoryConfig& config) {
  if (config.num_load_threads < 1 || config.num_load_retries < 0 ||
      config.poll_us < 1) {
    return absl::InvalidArgumentError(
        "--model-load-thread-count and --repository-poll-secs have to be at "
        "least 1, --model-load-retry-count at least 0");
  }
  if (config.control != ModelControl::kExplicit &&
      !config.load_models.empty()) {
    return absl::InvalidArgumentError(
        "--load-model needs --model-control-mode explicit");
  }
  if (!config.config_name.empty() && !IsModelName(config.config_name)) {
    return absl::InvalidArgumentError(fmt::format(
        "--model-config-name '{}' is no file's name", config.config_name));
  }
  return ListModels(config.folders).status();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelRepository>> ModelRepository::Open(
    ModelRepositoryConfig config, Backends backends, KserveModels& models) {
  RETURN_IF_ERROR(CheckConfig(config));
  return std::unique_ptr<ModelRepository>(
      new ModelRepository(std::move(config), std::move(backends), models));
}

ModelRepository::ModelRepository(ModelRepositoryConfig config,
                                 Backends backends, KserveModels& models)
    : config_(std::move(config)),
      loader_({.auto_complete = config_.auto_complete,
               .cache = config_.cache,
               .host_policies = config_.host_policies},
              std::move(backends), models),
      threads_(config_.num_load_threads),
      models_(models) {}

ModelRepository::~ModelRepository() {
  {
    const MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (poller_.joinable()) poller_.join();
}

absl::Status ModelRepository::Start() {
  const absl::Status status = LoadAtStart();
  {
    const MutexLock lock(&mutex_);
    started_ = true;
  }
  if (config_.control == ModelControl::kPoll) {
    poller_ = std::thread([this] { PollUntilStopped(); });
  }
  return status;
}

absl::Status ModelRepository::LoadAtStart() {
  if (config_.control == ModelControl::kPoll) return PollFolders();
  std::vector<std::string> names = config_.load_models;
  const bool all = config_.control == ModelControl::kNone ||
                   std::find(names.begin(), names.end(), "*") != names.end();
  if (all) {
    ASSIGN_OR_RETURN(const auto folders, ListModels(config_.folders));
    names = NamesOf(folders);
  }
  return LoadAll(names);
}

absl::Status CheckExplicit(const ModelRepository* repository) {
  if (repository != nullptr &&
      repository->control() == ModelControl::kExplicit) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      "explicit model load / unload is not allowed: the server was started "
      "with another --model-control-mode");
}

absl::Status ModelRepository::CheckControl(const std::string& name) const {
  RETURN_IF_ERROR(CheckExplicit(this));
  if (!models_.IsOwn(name)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("model '{}' is the server's own and stays as it is", name));
}

absl::Status ModelRepository::Load(const std::string& name,
                                   const LoadOverride& with) {
  RETURN_IF_ERROR(CheckControl(name));
  return LoadModel(name, with);
}

// Ensembles after what they may consist of, one by one.
absl::Status ModelRepository::LoadAll(const std::vector<std::string>& names) {
  std::vector<std::string> models;
  std::vector<std::string> ensembles;
  {
    const MutexLock lock(&mutex_);
    wanted_.insert(names.begin(), names.end());
  }
  for (const std::string& name : names) {
    (IsEnsemble(name) ? ensembles : models).push_back(name);
  }
  std::vector<absl::Status> failures(names.size());
  ParallelFor(models.size(), 1, config_.num_load_threads,
              [&](size_t begin, size_t end) {
                for (size_t i = begin; i < end; ++i) {
                  failures[i] = LoadModel(models[i], {});
                }
              });
  for (const std::string& name : ensembles) {
    failures.push_back(LoadModel(name, {}));
  }
  std::string all;
  for (const absl::Status& failure : failures) {
    if (failure.ok()) continue;
    all += fmt::format("{}{}", all.empty() ? "" : "; ", Message(failure));
  }
  if (all.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(all);
}

absl::StatusOr<std::vector<std::string>> ModelRepository::NamesToUnload(
    const std::string& name, bool dependents) const {
  std::vector<std::string> names = {name};
  const auto served = models_.Find(name);
  if (!served.ok()) {
    const auto folder = FindModelFolder(config_.folders, name);
    if (folder.ok()) return names;
    return absl::InvalidArgumentError(fmt::format(
        "failed to unload '{}', {}", name, Message(folder.status())));
  }
  if (!dependents || !(*served)->config.ensemble) return names;
  for (const EnsembleStep& step : (*served)->config.ensemble->steps) {
    if (!models_.IsOwn(step.model)) names.push_back(step.model);
  }
  return names;
}

absl::Status ModelRepository::Unload(const std::string& name, bool dependents) {
  RETURN_IF_ERROR(CheckControl(name));
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   NamesToUnload(name, dependents));
  Releases releases;
  for (const std::string& one : names) UnloadModel(one, "unloaded", releases);
  const int64_t end_us = Clock::Real().NowUs() + kUnloadWaitUs;
  for (const auto& release : releases) {
    if (!release->WaitFor(
            std::max<int64_t>(0, end_us - Clock::Real().NowUs()))) {
      LogWarning(
          "model '{}', or one unloaded with it, is still held by requests",
          name);
    }
  }
  return absl::OkStatus();
}

void ModelRepository::UnloadModel(const std::string& name,
                                  const std::string& reason,
                                  Releases& releases) {
  {
    const Turn turn(*this, name);
    for (const auto& model : models_.Publish(name, {}, reason)) {
      releases.push_back(model->release);
    }
    const MutexLock lock(&mutex_);
    loaded_.erase(name);
    wanted_.erase(name);
  }
  LogInfo("model '{}': {}", name, reason);
  for (const auto& other : models_.All()) {
    if (!other->config.HasStep(name)) continue;
    UnloadModel(other->config.name,
                fmt::format("ensemble '{}' depends on '{}' which has no loaded "
                            "version",
                            other->config.name, name),
                releases);
  }
}

void ModelRepository::Poll() {
  const absl::Status status = PollFolders();
  if (!status.ok()) LogError("model repository: {}", Message(status));
}

absl::Status ModelRepository::PollFolders() {
  const Turn turn(*this, kPollTurn);
  ASSIGN_OR_RETURN(const auto folders, ListModels(config_.folders));
  std::map<std::string, uint64_t> now;
  for (const ModelFolder& folder : folders) {
    now[folder.name] = now[folder.name] * 31 +
                       FolderFingerprint(folder.path, /*with_configs=*/true);
  }
  std::vector<std::string> changed;
  std::vector<std::string> gone;
  {
    const MutexLock lock(&mutex_);
    for (const auto& [name, fingerprint] : now) {
      const auto before = polled_.find(name);
      if (before == polled_.end() || before->second != fingerprint) {
        changed.push_back(name);
      }
    }
    for (const auto& [name, fingerprint] : polled_) {
      if (!now.contains(name)) gone.push_back(name);
    }
    polled_ = std::move(now);
  }
  Releases releases;
  for (const std::string& name : gone) {
    UnloadModel(name, "unloaded", releases);
    models_.Forget(name);
  }
  return LoadAll(changed);
}

void ModelRepository::PollUntilStopped() {
  for (;;) {
    {
      const MutexLock lock(&mutex_);
      if (mutex_.AwaitFor(this, &ModelRepository::stopping, config_.poll_us)) {
        return;
      }
    }
    Poll();
  }
}

std::vector<ModelEntry> ModelRepository::Index() const {
  std::vector<ModelEntry> index = models_.Index();
  std::set<std::string> known;
  for (const ModelEntry& entry : index) known.insert(entry.name);
  const auto folders = ListModels(config_.folders);
  if (!folders.ok()) return index;
  for (const std::string& name : NamesOf(*folders)) {
    if (!known.contains(name)) index.push_back({.name = name});
  }
  std::stable_sort(
      index.begin(), index.end(),
      [](const auto& a, const auto& b) { return a.name < b.name; });
  return index;
}

absl::Status ModelRepository::Ready() const {
  std::set<std::string> wanted;
  {
    const MutexLock lock(&mutex_);
    if (!started_) return absl::UnavailableError("models are being loaded");
    wanted = wanted_;
  }
  for (const std::string& name : wanted) {
    if (models_.Versions(name).empty()) {
      return absl::UnavailableError(
          fmt::format("model '{}' is not ready", name));
    }
  }
  return absl::OkStatus();
}

}  // namespace quaver
