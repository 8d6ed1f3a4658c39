// See model_loader.h.
#include "quaver/serve/model_loader.h"

#include <set>
#include <utility>

#include "quaver/base/log.h"
#include "quaver/sched/batching_servable.h"
#include "quaver/sched/ensemble.h"
#include "quaver/sched/single_flight.h"
#include "quaver/serve/counted_servable.h"
#include "quaver/serve/internal/limited_servable.h"
#include "quaver/serve/internal/scheduling_config.h"
#include "quaver/serve/warmup.h"

namespace quaver {
namespace {

constexpr int64_t kMaxBatchTokens = 1 << 30;

absl::Status Invalid(const ModelConfig& config, const std::string& what) {
  return absl::InvalidArgumentError(
      fmt::format("model '{}': {}", config.name, what));
}

absl::StatusOr<std::shared_ptr<KserveModel>> FindMember(
    const KserveModels& models, const std::string& model, int64_t version) {
  auto found = models.Find(model, version < 0 ? "" : fmt::to_string(version));
  if (found.ok()) return found;
  return absl::NotFoundError(Message(found.status()));
}

std::vector<TensorSpec> SpecsOf(const ModelConfig& config,
                                const std::vector<TensorConfig>& tensors) {
  std::vector<TensorSpec> specs;
  for (const TensorConfig& tensor : tensors) {
    TensorSpec spec;
    spec.name = tensor.name;
    spec.datatype = tensor.datatype;
    spec.shape = WireShape(config, tensor);
    spec.optional = tensor.optional;
    specs.push_back(std::move(spec));
  }
  return specs;
}

absl::StatusOr<BatcherConfig> BatcherConfigOf(const ModelConfig& config) {
  BatcherConfig batcher;
  batcher.num_instances = config.num_instances();
  batcher.max_batch_size = config.max_batch_size;
  ASSIGN_OR_RETURN(
      batcher.max_batch_tokens,
      config.IntParameter("max_batch_tokens", 0, 0, kMaxBatchTokens));
  if (config.dynamic_batching) batcher.batching = *config.dynamic_batching;
  const absl::Status status = CheckBatcherConfig(batcher);
  if (!status.ok()) return Invalid(config, Message(status));
  return batcher;
}

void WarnOfUnfollowed(const ModelConfig& config) {
  if (!config.dynamic_batching) return;
  for (const std::string& field : FieldsOfABatcher(*config.dynamic_batching)) {
    LogWarning("model '{}': backend '{}' does not follow '{}'", config.name,
               config.backend, field);
  }
}

}  // namespace

absl::StatusOr<std::vector<int>> HostPolicies::Deal(const ModelConfig& config) {
  std::set<std::string> named;
  for (const InstanceGroup& group : config.instance_groups) {
    named.insert(group.host_policy);
    const auto policy = cores_.find(group.host_policy);
    if (!group.host_policy.empty() &&
        (policy == cores_.end() || policy->second.empty())) {
      return Invalid(config, fmt::format("instance group {}: there is no "
                                         "--host-policy '{}' with cpu-cores",
                                         group.name, group.host_policy));
    }
  }
  const bool some_name_none = named.erase("") > 0;
  if (named.empty()) return std::vector<int>();
  if (some_name_none) {
    return Invalid(config,
                   "either all instance groups name a host_policy or none");
  }
  if (named.size() == 1) {
    const std::string& policy = *named.begin();
    return DealOf(policy, cores_.at(policy).size(), config.num_instances());
  }
  std::vector<int> cores;
  for (const InstanceGroup& group : config.instance_groups) {
    const std::vector<int> dealt = DealOf(
        group.host_policy, static_cast<size_t>(group.count), group.count);
    cores.insert(cores.end(), dealt.begin(), dealt.end());
  }
  return cores;
}

std::vector<int> HostPolicies::DealOf(const std::string& policy,
                                      size_t num_cores, int num_instances) {
  const std::vector<int>& all = cores_.at(policy);
  const MutexLock lock(&mutex_);
  size_t& next = next_[policy];
  std::vector<int> dealt;
  for (size_t i = 0; i < num_cores; ++i) {
    dealt.push_back(all[(next + i) % all.size()]);
  }
  next = (next + static_cast<size_t>(num_instances)) % all.size();
  return dealt;
}

absl::Status ModelLoader::ChooseBackend(const std::string& version_folder,
                                        ModelConfig& config) const {
  if (config.backend.empty()) {
    if (!config_.auto_complete) {
      return Invalid(config, "the configuration must specify 'backend'");
    }
    auto recognised = backends_.recognise
                          ? backends_.recognise(version_folder)
                          : absl::NotFoundError("nothing is known of it");
    if (!recognised.ok()) {
      return Invalid(config,
                     fmt::format("the configuration names no backend, "
                                 "and {} tells none: {}",
                                 version_folder, Message(recognised.status())));
    }
    config.backend = *std::move(recognised);
  }
  if (backends_.factories.contains(config.backend)) return absl::OkStatus();
  std::string names;
  for (const auto& [name, factory] : backends_.factories) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  }
  return Invalid(
      config, fmt::format("there is no backend '{}'; there {}", config.backend,
                          names.empty() ? "are none" : "is: " + names));
}

absl::StatusOr<std::shared_ptr<Servable>> ModelLoader::MakeBackend(
    const std::string& model_folder, ModelConfig& config) const {
  const std::string version_folder =
      fmt::format("{}/{}", model_folder, config.version);
  RETURN_IF_ERROR(ChooseBackend(version_folder, config));
  if (!config_.auto_complete &&
      (config.inputs.empty() || config.outputs.empty())) {
    return Invalid(config,
                   "the configuration must specify 'input' and "
                   "'output'");
  }
  if (config.max_batch_size == 0 && config.inputs.empty() &&
      config.outputs.empty()) {
    const auto traits = backends_.traits.find(config.backend);
    if (traits != backends_.traits.end()) {
      config.max_batch_size = traits->second.max_batch_size;
    }
  }
  ModelConfig completed = config;
  const BackendRequest request{.config = config,
                               .completed = completed,
                               .model_folder = model_folder,
                               .version_folder = version_folder,
                               .auto_complete = config_.auto_complete};
  ASSIGN_OR_RETURN(std::shared_ptr<Servable> servable,
                   backends_.factories.at(config.backend)(request));
  config = std::move(completed);
  return servable;
}

absl::StatusOr<std::shared_ptr<Servable>> ModelLoader::MakeEnsemble(
    const ModelConfig& config) const {
  for (const EnsembleStep& step : config.ensemble->steps) {
    ASSIGN_OR_RETURN(const auto member,
                     FindMember(models_, step.model, step.version));
    const int limit = member->config.max_batch_size;
    if (config.max_batch_size > limit) {
      return Invalid(config,
                     fmt::format("ensemble allows maximum batch size {}, but "
                                 "it contains model '{}' which only allows "
                                 "maximum batch size to be {}",
                                 config.max_batch_size, step.model, limit));
    }
  }
  EnsembleConfig ensemble;
  ensemble.name = config.name;
  ensemble.inputs = SpecsOf(config, config.inputs);
  ensemble.outputs = SpecsOf(config, config.outputs);
  ensemble.steps = config.ensemble->steps;
  ensemble.max_inflight_requests = config.ensemble->max_inflight_requests;
  const auto find =
      [&models = models_](
          const std::string& model,
          int64_t version) -> absl::StatusOr<std::shared_ptr<Servable>> {
    ASSIGN_OR_RETURN(auto member, FindMember(models, model, version));
    return std::make_shared<CountedServable>(std::move(member));
  };
  ASSIGN_OR_RETURN(auto servable, EnsembleServable::Create(ensemble, find));
  return std::shared_ptr<Servable>(std::move(servable));
}

absl::StatusOr<std::shared_ptr<Servable>> ModelLoader::Schedule(
    ModelConfig& config, std::shared_ptr<Servable> servable) const {
  ASSIGN_OR_RETURN(const BatcherConfig batcher, BatcherConfigOf(config));
  const auto traits = backends_.traits.find(config.backend);
  const bool schedules =
      traits != backends_.traits.end() && traits->second.schedules;
  if (schedules || config.ensemble) {
    if (!servable->counts().batcher) {
      WarnOfUnfollowed(config);
      config.has_queue_policy = false;
    }
    return servable;
  }
  if (config.dynamic_batching && config.max_batch_size > 0) {
    BatchingConfig batching;
    batching.batcher = batcher;
    batching.cores = config.cores;
    batching.batch_inputs = config.batch_inputs;
    for (const TensorConfig& input : config.inputs) {
      if (input.ragged) batching.ragged.push_back(input.name);
    }
    const auto same =
        [servable](int) -> absl::StatusOr<std::shared_ptr<Servable>> {
      return servable;
    };
    ASSIGN_OR_RETURN(auto batched, BatchingServable::Create(batching, same));
    return std::shared_ptr<Servable>(std::move(batched));
  }
  if (!config.dynamic_batching && config.instance_groups.empty()) {
    return servable;
  }
  ASSIGN_OR_RETURN(
      auto limited,
      LimitedServable::Create(std::move(servable), batcher, config.cores));
  return std::shared_ptr<Servable>(std::move(limited));
}

std::shared_ptr<KserveModel> ModelLoader::Publishable(
    ModelConfig config, std::shared_ptr<Servable> servable) const {
  if (!config.response_cache) {
    return models_.Make(std::move(config), std::move(servable));
  }
  if (config_.cache == nullptr) {
    LogWarning(
        "model '{}' asks for a response cache: there is none without "
        "--cache-config",
        config.name);
    return models_.Make(std::move(config), std::move(servable));
  }
  const CachingServable::Name name = {config.name, config.version};
  servable = std::make_shared<SingleFlightServable>(std::move(servable));
  auto caching = std::make_shared<CachingServable>(std::move(servable), name,
                                                   *config_.cache);
  auto model = models_.Make(std::move(config), caching);
  model->caching = std::move(caching);
  model->needs.push_back(config_.cache);
  return model;
}

absl::StatusOr<std::shared_ptr<KserveModel>> ModelLoader::Load(
    ModelConfig config, const std::string& model_folder) {
  std::shared_ptr<Servable> servable;
  ASSIGN_OR_RETURN(config.cores, host_policies_.Deal(config));
  if (config.ensemble) {
    ASSIGN_OR_RETURN(servable, MakeEnsemble(config));
  } else {
    ASSIGN_OR_RETURN(servable, MakeBackend(model_folder, config));
  }
  ASSIGN_OR_RETURN(servable, Schedule(config, std::move(servable)));
  RETURN_IF_ERROR(CompleteConfig(*servable, config));
  RETURN_IF_ERROR(WarmUp(config, model_folder, *servable));
  return Publishable(std::move(config), std::move(servable));
}

}  // namespace quaver
