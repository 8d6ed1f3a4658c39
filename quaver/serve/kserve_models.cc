// See kserve_models.h.
#include "quaver/serve/kserve_models.h"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <utility>

namespace quaver {
namespace {

constexpr std::array<std::string_view, 5> kStates = {
    "UNKNOWN", "READY", "UNAVAILABLE", "LOADING", "UNLOADING"};

// A model whose release is set when the last holder has let it go.
std::shared_ptr<KserveModel> Released(std::unique_ptr<KserveModel> model) {
  const auto release = std::make_shared<ModelRelease>();
  model->release = release;
  return {model.release(), [release](KserveModel* last) {
            delete last;
            malloc_trim(0);  // else glibc keeps what the model had
            release->Set();
          }};
}

}  // namespace

void ModelRelease::Set() {
  const MutexLock lock(&mutex_);
  is_set_ = true;
}

bool ModelRelease::IsSet() const {
  const MutexLock lock(&mutex_);
  return is_set_;
}

bool ModelRelease::WaitFor(int64_t timeout_us) const {
  const MutexLock lock(&mutex_);
  return mutex_.AwaitFor(this, &ModelRelease::is_set, timeout_us);
}

std::string_view Name(ModelState state) {
  return kStates[static_cast<size_t>(state)];
}

std::shared_ptr<const KserveModels::Snapshot> KserveModels::Ready() const {
  const MutexLock lock(&mutex_);
  return ready_;
}

absl::Status KserveModels::Add(const std::string& name,
                               std::shared_ptr<Servable> servable,
                               int max_batch_size) {
  ASSIGN_OR_RETURN(ModelConfig config,
                   CompleteConfig(name, *servable, max_batch_size));
  const auto model = std::make_shared<KserveModel>(
      std::move(config), std::move(servable), metrics_);
  const MutexLock lock(&mutex_);
  if (states_.contains(name)) {
    return absl::AlreadyExistsError(
        fmt::format("there is a model '{}' already", name));
  }
  auto next = std::make_shared<Snapshot>(*ready_);
  (*next)[name][model->config.version] = model;
  ready_ = std::move(next);
  states_[name][model->config.version] = {ModelState::kReady, "", nullptr};
  own_.insert(name);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<KserveModel>> KserveModels::Find(
    const std::string& name, const std::string& version) const {
  std::shared_ptr<const Snapshot> ready;
  bool is_loading = false;
  {
    const MutexLock lock(&mutex_);
    ready = ready_;
    if (!ready->contains(name)) is_loading = IsLoading(name);
  }
  const auto found = ready->find(name);
  if (found == ready->end()) {
    if (is_loading) {
      return absl::UnavailableError(fmt::format(
          "Request for unknown model: '{}' has no available versions, as it "
          "is being loaded",
          name));
    }
    return absl::NotFoundError(
        fmt::format("Request for unknown model: '{}' is not found", name));
  }
  if (version.empty()) return found->second.rbegin()->second;
  for (const auto& [number, model] : found->second) {
    if (fmt::to_string(number) == version) return model;
  }
  return absl::NotFoundError(
      fmt::format("Request for unknown model: '{}' version {} is not found",
                  name, version));
}

bool KserveModels::IsLoading(const std::string& name) const {
  const auto found = states_.find(name);
  if (found == states_.end()) return false;
  return std::any_of(
      found->second.begin(), found->second.end(),
      [](const auto& of) { return of.second.state == ModelState::kLoading; });
}

std::vector<std::shared_ptr<KserveModel>> KserveModels::All() const {
  const auto ready = Ready();
  std::vector<std::shared_ptr<KserveModel>> models;
  for (const auto& [name, versions] : *ready) {
    for (const auto& [version, model] : versions) models.push_back(model);
  }
  return models;
}

std::vector<std::shared_ptr<KserveModel>> KserveModels::AllOf(
    const std::string& name) const {
  const auto ready = Ready();
  std::vector<std::shared_ptr<KserveModel>> models;
  const auto found = ready->find(name);
  if (found == ready->end()) return models;
  for (const auto& [version, model] : found->second) models.push_back(model);
  return models;
}

absl::StatusOr<std::vector<std::shared_ptr<KserveModel>>>
KserveModels::FindCounted(const std::string& name,
                          const std::string& version) const {
  if (name.empty()) return All();
  std::vector<std::shared_ptr<KserveModel>> models = AllOf(name);
  if (models.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("requested model '{}' is not available", name));
  }
  if (version.empty()) return models;
  std::erase_if(models, [&](const auto& model) {
    return fmt::to_string(model->config.version) != version;
  });
  if (!models.empty()) return models;
  return absl::InvalidArgumentError(fmt::format(
      "requested model version is not available for model '{}'", name));
}

std::vector<int64_t> KserveModels::Versions(const std::string& name) const {
  std::vector<int64_t> versions;
  for (const auto& model : AllOf(name)) {
    versions.push_back(model->config.version);
  }
  return versions;
}

std::vector<ModelEntry> KserveModels::Index() const {
  std::vector<ModelEntry> index;
  const MutexLock lock(&mutex_);
  for (const auto& [name, versions] : states_) {
    for (const auto& [version, of] : versions) {
      const bool is_gone = of.state == ModelState::kUnloading &&
                           (of.release == nullptr || of.release->IsSet());
      index.push_back({name, version,
                       is_gone ? ModelState::kUnavailable : of.state,
                       of.reason});
    }
  }
  return index;
}

bool KserveModels::IsOwn(const std::string& name) const {
  const MutexLock lock(&mutex_);
  return own_.contains(name);
}

std::shared_ptr<KserveModel> KserveModels::Make(
    ModelConfig config, std::shared_ptr<Servable> servable) const {
  return Released(std::make_unique<KserveModel>(std::move(config),
                                                std::move(servable), metrics_));
}

std::shared_ptr<KserveModel> KserveModels::Make(
    ModelConfig config, const KserveModel& before) const {
  return Released(std::make_unique<KserveModel>(std::move(config), before));
}

std::vector<std::shared_ptr<KserveModel>> KserveModels::Publish(
    const std::string& name, std::vector<std::shared_ptr<KserveModel>> versions,
    const std::string& reason) {
  std::vector<std::shared_ptr<KserveModel>> left;
  // The last holder of a model may be the snapshot: it goes without the lock.
  std::shared_ptr<const Snapshot> before;
  const MutexLock lock(&mutex_);
  before = ready_;
  auto next = std::make_shared<Snapshot>(*before);
  next->erase(name);
  if (const auto old = before->find(name); old != before->end()) {
    for (const auto& [version, model] : old->second) {
      left.push_back(model);
      states_[name][version] = {ModelState::kUnloading, reason, model->release};
    }
  }
  states_[name].erase(0);
  for (auto& model : versions) {
    const int64_t version = model->config.version;
    states_[name][version] = {ModelState::kReady, "", nullptr};
    (*next)[name][version] = std::move(model);
  }
  ready_ = std::move(next);
  return left;
}

void KserveModels::SetState(const std::string& name, int64_t version,
                            ModelState state, const std::string& reason) {
  const MutexLock lock(&mutex_);
  if (version != 0) states_[name].erase(0);
  State& of = states_[name][version];
  if (of.state != ModelState::kReady) of.state = state;
  of.reason = reason;
}

void KserveModels::Forget(const std::string& name) {
  const MutexLock lock(&mutex_);
  const auto found = states_.find(name);
  if (found == states_.end()) return;
  std::erase_if(found->second, [](const auto& of) {
    return of.second.state != ModelState::kReady &&
           (of.second.release == nullptr || of.second.release->IsSet());
  });
  if (found->second.empty()) states_.erase(found);
}

}  // namespace quaver
