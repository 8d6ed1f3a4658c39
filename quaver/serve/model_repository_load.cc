// See model_repository.h: a load, from reading the folder to being ready.
#include <algorithm>
#include <utility>

#include <google/protobuf/util/message_differencer.h>

#include "quaver/base/log.h"
#include "quaver/net/proto/model_config.pb.h"
#include "quaver/serve/internal/repository_turn.h"
#include "quaver/serve/model_config.h"
#include "quaver/serve/model_repository.h"

namespace quaver {
namespace {

constexpr char kEnsemblesTurn[] = "/ensembles";  // no model's name
constexpr size_t kMaxEnsembleDepth = 16;

// What is wrong with files and configurations is the caller's fault, whatever
// the room that found it calls it.
absl::Status LoadError(const std::string& name, const absl::Status& why) {
  const std::string message =
      fmt::format("failed to load '{}', {}", name, Message(why));
  switch (why.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnimplemented:
      return {why.code(), message};
    default:
      return absl::InvalidArgumentError(message);
  }
}

// Without instance groups there is one that nothing is said of. All kinds that
// are not refused are the processor.
inference::ModelConfig WithoutCounts(inference::ModelConfig config) {
  if (config.instance_group().empty()) config.add_instance_group();
  for (auto& group : *config.mutable_instance_group()) {
    group.clear_count();
    group.clear_kind();
  }
  return config;
}

// More instances of several policies need cores that nobody has dealt.
bool HasSeveralPolicies(const inference::ModelConfig& config) {
  const auto& groups = config.instance_group();
  return std::any_of(groups.begin(), groups.end(), [&](const auto& group) {
    return group.host_policy() != groups.begin()->host_policy();
  });
}

bool DifferInCountsOnly(const inference::ModelConfig& one,
                        const inference::ModelConfig& other) {
  using google::protobuf::util::MessageDifferencer;
  return !MessageDifferencer::Equals(one, other) && !HasSeveralPolicies(one) &&
         MessageDifferencer::Equals(WithoutCounts(one), WithoutCounts(other));
}

}  // namespace

absl::Status ModelRepository::LoadModel(const std::string& name,
                                        const LoadOverride& with,
                                        bool in_ensemble) {
  absl::Status status;
  for (int i = 0; i <= config_.num_load_retries; ++i) {
    status = LoadOnce(name, with, in_ensemble);
    if (status.ok()) return status;
    LogError("{}", Message(status));
  }
  return status;
}

absl::Status ModelRepository::LoadOnce(const std::string& name,
                                       const LoadOverride& with,
                                       bool in_ensemble) {
  auto candidate = Prepare(name, with);
  if (!candidate.ok()) {
    const absl::Status status = LoadError(name, candidate.status());
    // A name that is nowhere leaves no trace.
    const auto folder = FindModelFolder(config_.folders, name);
    if (folder.ok() && !models_.IsOwn(name)) Fail(name, {}, status);
    return status;
  }
  absl::Status status;
  if (candidate->config.ensemble && !in_ensemble) {
    // One at a time, so that no two wait for each other's members.
    const Turn turn(*this, kEnsemblesTurn);
    status = LoadInTurn(*candidate);
  } else {
    status = LoadInTurn(*candidate);
  }
  return status.ok() ? status : LoadError(name, status);
}

absl::StatusOr<ModelRepository::Candidate> ModelRepository::Prepare(
    const std::string& name, const LoadOverride& with) const {
  if (models_.IsOwn(name)) {
    return absl::InvalidArgumentError("the server has a model of that name");
  }
  Candidate candidate;
  if (with.files.empty()) {
    ASSIGN_OR_RETURN(const ModelFolder folder,
                     FindModelFolder(config_.folders, name));
    candidate.folder = folder.path;
    candidate.files =
        FolderFingerprint(candidate.folder, /*with_configs=*/false);
  } else {
    if (!with.config || !IsModelName(name)) {
      return absl::InvalidArgumentError(
          "override files need an override of the configuration, the "
          "parameter 'config'");
    }
    ASSIGN_OR_RETURN(candidate.temporary, TemporaryModel::Write(with.files));
    candidate.folder = candidate.temporary->path();
  }
  std::shared_ptr<const inference::ModelConfig> source;
  if (with.config) {
    ASSIGN_OR_RETURN(inference::ModelConfig config,
                     ParseConfigJson(*with.config));
    source = std::make_shared<const inference::ModelConfig>(std::move(config));
  } else {
    ASSIGN_OR_RETURN(source,
                     ReadConfigFile(candidate.folder, config_.config_name));
  }
  if (source == nullptr) {
    if (!config_.auto_complete) {
      return absl::NotFoundError(fmt::format(
          "{} has no config.pbtxt, and --disable-auto-complete-config was "
          "given",
          candidate.folder));
    }
    source = std::make_shared<const inference::ModelConfig>();
  }
  ASSIGN_OR_RETURN(candidate.config, ReadConfig(*source, name));
  RETURN_IF_ERROR(CheckCircles(candidate.config, {}));
  std::vector<int64_t> there = ListVersions(candidate.folder);
  // An ensemble has no files that a folder would have to hold.
  if (there.empty() && candidate.config.ensemble) there = {1};
  ASSIGN_OR_RETURN(candidate.versions,
                   VersionsToServe(candidate.config.version_policy, there));
  return candidate;
}

absl::StatusOr<ModelConfig> ModelRepository::ConfigOf(
    const std::string& name) const {
  if (const auto served = models_.Find(name); served.ok()) {
    return (*served)->config;
  }
  ASSIGN_OR_RETURN(const ModelFolder folder,
                   FindModelFolder(config_.folders, name));
  ASSIGN_OR_RETURN(const auto source,
                   ReadConfigFile(folder.path, config_.config_name));
  return ReadConfig(source ? *source : inference::ModelConfig(), name);
}

bool ModelRepository::IsEnsemble(const std::string& name) const {
  const auto config = ConfigOf(name);
  return config.ok() && config->ensemble.has_value();
}

absl::Status ModelRepository::CheckCircles(
    const ModelConfig& config, std::vector<std::string> above) const {
  if (!config.ensemble) return absl::OkStatus();
  above.push_back(config.name);
  if (above.size() > kMaxEnsembleDepth) {
    return absl::InvalidArgumentError(
        fmt::format("ensembles are nested more than {} deep: '{}'",
                    kMaxEnsembleDepth, fmt::join(above, "' -> '")));
  }
  for (const EnsembleStep& step : config.ensemble->steps) {
    for (const std::string& name : above) {
      if (name == step.model) {
        return absl::InvalidArgumentError(
            fmt::format("circular dependency between ensembles: '{}' -> '{}'",
                        fmt::join(above, "' -> '"), step.model));
      }
    }
    // What is wrong with a member is said when it is loaded.
    const auto member = ConfigOf(step.model);
    if (member.ok()) RETURN_IF_ERROR(CheckCircles(*member, above));
  }
  return absl::OkStatus();
}

absl::Status ModelRepository::LoadSteps(const ModelConfig& ensemble) {
  for (const EnsembleStep& step : ensemble.ensemble->steps) {
    if (!models_.Versions(step.model).empty()) continue;
    const absl::Status status = LoadModel(step.model, {}, /*in_ensemble=*/true);
    if (!status.ok()) {
      return absl::InvalidArgumentError(fmt::format(
          "ensemble '{}' depends on '{}' which has no loaded version: {}",
          ensemble.name, step.model, Message(status)));
    }
  }
  return absl::OkStatus();
}

absl::Status ModelRepository::LoadInTurn(const Candidate& candidate) {
  const std::string& name = candidate.config.name;
  const Turn turn(*this, name);
  if (Resize(candidate)) return absl::OkStatus();
  for (const int64_t version : candidate.versions) {
    models_.SetState(name, version, ModelState::kLoading);
  }
  absl::Status status;
  if (candidate.config.ensemble) status = LoadSteps(candidate.config);
  if (status.ok()) {
    auto versions = MakeVersions(candidate);
    if (versions.ok()) {
      models_.Publish(name, *std::move(versions));
      RenewAnswersOf(name);
      const MutexLock lock(&mutex_);
      loaded_[name] = {candidate.config.source, candidate.files};
      wanted_.insert(name);
      return absl::OkStatus();
    }
    status = versions.status();
  }
  Fail(name, candidate.versions, LoadError(name, status));
  return status;
}

absl::StatusOr<std::vector<std::shared_ptr<KserveModel>>>
ModelRepository::MakeVersions(const Candidate& candidate) {
  std::vector<std::shared_ptr<KserveModel>> versions;
  for (const int64_t version : candidate.versions) {
    ModelConfig config = candidate.config;
    config.version = version;
    absl::StatusOr<std::shared_ptr<KserveModel>> model;
    threads_.Run(
        [&] { model = loader_.Load(std::move(config), candidate.folder); });
    if (!model.ok()) {
      return Annotate(model.status(), fmt::format("version {}", version));
    }
    if (candidate.temporary) (*model)->needs.push_back(candidate.temporary);
    LogInfo("model '{}' version {} is ready", candidate.config.name, version);
    versions.push_back(*std::move(model));
  }
  return versions;
}

// From the bottom up: what an ensemble takes from one below it is new then.
void ModelRepository::RenewAnswersOf(const std::string& model, size_t depth) {
  if (depth == kMaxEnsembleDepth) return;
  for (const auto& other : models_.All()) {
    if (!other->config.HasStep(model)) continue;
    if (other->caching != nullptr) other->caching->Renew();
    RenewAnswersOf(other->config.name, depth + 1);
  }
}

bool ModelRepository::Resize(const Candidate& candidate) {
  const std::string& name = candidate.config.name;
  {
    const MutexLock lock(&mutex_);
    const auto before = loaded_.find(name);
    if (before == loaded_.end() || candidate.files == 0 ||
        before->second.files != candidate.files ||
        !DifferInCountsOnly(*before->second.source, *candidate.config.source)) {
      return false;
    }
  }
  const auto serving = models_.AllOf(name);
  if (models_.Versions(name) != candidate.versions) return false;
  std::vector<std::shared_ptr<KserveModel>> resized;
  for (const auto& model : serving) {
    const absl::Status status =
        model->servable->Resize(candidate.config.num_instances());
    if (!status.ok()) {
      LogInfo("model '{}' is loaded anew for its instances: {}", name,
              Message(status));
      return false;
    }
    ModelConfig config = model->config;
    config.instance_groups = candidate.config.instance_groups;
    config.source = candidate.config.source;
    resized.push_back(models_.Make(std::move(config), *model));
  }
  models_.Publish(name, std::move(resized));
  LogInfo("model '{}' has {} instances now", name,
          candidate.config.num_instances());
  const MutexLock lock(&mutex_);
  loaded_[name].source = candidate.config.source;
  return true;
}

void ModelRepository::Fail(const std::string& name,
                           const std::vector<int64_t>& versions,
                           const absl::Status& why) {
  std::vector<int64_t> failed = versions;
  // Before its configuration is read nobody knows what there would have been.
  if (failed.empty()) failed = models_.Versions(name);
  if (failed.empty()) failed = {0};
  for (const int64_t version : failed) {
    models_.SetState(name, version, ModelState::kUnavailable, Message(why));
  }
}

}  // namespace quaver
