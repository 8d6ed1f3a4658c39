// See backends.h.
#include "quaver/cli/backends.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/backends/addsub_servable.h"
#include "quaver/backends/bart_decoder_servable.h"
#include "quaver/backends/bart_encoder_servable.h"
#include "quaver/backends/corrector_servable.h"
#include "quaver/backends/detokenizer_servable.h"
#include "quaver/backends/encoder_servable.h"
#include "quaver/backends/identity_servable.h"
#include "quaver/backends/python_servable.h"
#include "quaver/backends/tokenizer_servable.h"
#include "quaver/cli/plans.h"
#include "quaver/engine/plan.h"
#include "quaver/kernels/kernels.h"
#include "quaver/serve/infer_call.h"
#include "quaver/serve/kserve_request.h"
#include "quaver/serve/kserve_response.h"
#include "quaver/serve/model_config.h"

namespace quaver {
namespace {

namespace fs = std::filesystem;
using ServableOr = absl::StatusOr<std::shared_ptr<Servable>>;

constexpr char kPlanSuffix[] = ".plan";
constexpr int kMaxTextBatch = 64;     // of backends that take many texts
constexpr int kMaxNetworkBatch = 16;  // of whole networks
constexpr int64_t kMaxParameter = 1 << 20;
constexpr int64_t kMaxDelayUs = 60'000'000;
constexpr int64_t kMaxMemoryBytes = int64_t{1} << 46;
constexpr int64_t kMaxExecuteMs = 86'400'000;

// model.plan, else the only other plan of the folder; "" when there is none.
std::string PlanIn(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> plans;
  for (fs::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == kPlanSuffix) {
      plans.push_back(it->path().string());
    }
  }
  const std::string usual = folder + "/model.plan";
  if (std::find(plans.begin(), plans.end(), usual) != plans.end()) return usual;
  return plans.size() == 1 ? plans[0] : "";
}

bool IsCheckpoint(const std::string& folder) {
  std::error_code error;
  return fs::exists(folder + "/config.json", error) &&
         fs::exists(folder + "/model.safetensors", error);
}

// Where the version's model lies: a plan or a checkpoint's folder.
absl::StatusOr<std::string> ModelPath(const BackendRequest& request) {
  const std::string& folder = request.version_folder;
  const std::string& file = request.config.default_model_filename;
  if (!file.empty()) return folder + "/" + file;
  if (IsCheckpoint(folder)) return folder;
  std::string plan = PlanIn(folder);
  if (!plan.empty()) return plan;
  return absl::NotFoundError(
      fmt::format("{} has neither config.json with model.safetensors nor one "
                  "plan; default_model_filename may name it",
                  folder));
}

absl::StatusOr<std::string> PlanPath(const BackendRequest& request) {
  ASSIGN_OR_RETURN(const std::string path, ModelPath(request));
  return ReadyPlan(path);
}

absl::StatusOr<std::string> Recognise(const std::string& version_folder) {
  std::string path = version_folder;
  if (!IsCheckpoint(version_folder)) path = PlanIn(version_folder);
  if (!path.empty()) {
    ASSIGN_OR_RETURN(const ModelKind kind, ReadModelKind(path));
    return std::string(Name(kind));
  }
  std::error_code error;
  if (fs::exists(version_folder + "/model.py", error)) {
    return std::string("python");
  }
  return absl::NotFoundError(
      "it has no config.json with model.safetensors, no plan and no model.py");
}

absl::StatusOr<int> Parameter(const BackendRequest& request, const char* key,
                              int otherwise) {
  ASSIGN_OR_RETURN(const int64_t value, request.config.IntParameter(
                                            key, otherwise, 1, kMaxParameter));
  return static_cast<int>(value);
}

ServableOr MakeEncoder(const BackendRequest& request) {
  EncoderConfig config;
  ASSIGN_OR_RETURN(config.model_folder, PlanPath(request));
  config.num_instances = request.config.num_instances();
  config.max_batch_size = request.config.max_batch_size;
  ASSIGN_OR_RETURN(
      config.max_tokens_per_batch,
      Parameter(request, "max_batch_tokens", config.max_tokens_per_batch));
  ASSIGN_OR_RETURN(config.threads_per_instance,
                   Parameter(request, "threads_per_instance", 1));
  if (request.config.dynamic_batching) {
    config.batching = *request.config.dynamic_batching;
  }
  config.cores = request.config.cores;
  return EncoderServable::Create(config, BestKernels());
}

// Calls in line; without a bound there is the usual one.
int MaxWaiting(const ModelConfig& model, int usual) {
  if (!model.dynamic_batching) return usual;
  const int size = model.dynamic_batching->default_queue_policy.max_queue_size;
  return size > 0 ? size : usual;
}

ServableOr MakeCorrector(const BackendRequest& request) {
  CorrectorConfig config;
  ASSIGN_OR_RETURN(config.model_folder, PlanPath(request));
  config.num_instances = request.config.num_instances();
  ASSIGN_OR_RETURN(config.max_requests, Parameter(request, "max_requests", 1));
  ASSIGN_OR_RETURN(config.threads_per_instance,
                   Parameter(request, "threads_per_instance", 1));
  config.max_waiting = MaxWaiting(request.config, config.max_waiting);
  config.cores = request.config.cores;
  return CorrectorServable::Create(config, BestKernels());
}

ServableOr MakeTokenizer(const BackendRequest& request) {
  TokenizerConfig config;
  ASSIGN_OR_RETURN(config.model_folder, ModelPath(request));
  ASSIGN_OR_RETURN(
      const int64_t max_tokens,
      request.config.IntParameter("max_tokens", config.max_tokens, 2,
                                  TokenizerServable::kGreatestMaxTokens));
  config.max_tokens = static_cast<int>(max_tokens);
  return TokenizerServable::Create(config);
}

ServableOr MakeDetokenizer(const BackendRequest& request) {
  DetokenizerConfig config;
  ASSIGN_OR_RETURN(config.model_folder, ModelPath(request));
  return DetokenizerServable::Create(config);
}

template <typename Network>
ServableOr MakeBartNetwork(const BackendRequest& request) {
  BartNetworkConfig config;
  ASSIGN_OR_RETURN(config.model_folder, PlanPath(request));
  config.num_instances = request.config.num_instances();
  config.max_waiting = MaxWaiting(request.config, config.max_waiting);
  ASSIGN_OR_RETURN(config.max_tokens,
                   Parameter(request, "max_tokens", config.max_tokens));
  ASSIGN_OR_RETURN(config.threads_per_instance,
                   Parameter(request, "threads_per_instance", 1));
  config.cores = request.config.cores;
  return Network::Create(config, BestKernels());
}

absl::StatusOr<int64_t> DelayUs(const BackendRequest& request) {
  ASSIGN_OR_RETURN(const int64_t us,
                   request.config.IntParameter("delay_us", 0, 0, kMaxDelayUs));
  ASSIGN_OR_RETURN(const int64_t ms,
                   request.config.IntParameter("execute_delay_ms", 0, 0,
                                               kMaxDelayUs / 1'000));
  return us + 1'000 * ms;
}

ServableOr MakeIdentity(const BackendRequest& request) {
  IdentityConfig config;
  config.shape = {-1, -1};
  ASSIGN_OR_RETURN(config.delay_us, DelayUs(request));
  if (!request.config.inputs.empty()) {
    const TensorConfig& input = request.config.inputs[0];
    config.datatype = input.datatype;
    config.shape = WireShape(request.config, input);
  }
  return std::make_shared<IdentityServable>(config);
}

ServableOr MakeAddSub(const BackendRequest& request) {
  AddSubConfig config;
  ASSIGN_OR_RETURN(config.delay_us, DelayUs(request));
  return std::make_shared<AddSubServable>(config);
}

// As a client would ask, without a wire between.
absl::StatusOr<Tensors> AskModel(const KserveModels& models,
                                 const std::string& name,
                                 const std::string& version,
                                 const Tensors& inputs,
                                 const CallOptions& options) {
  ASSIGN_OR_RETURN(const auto model, models.Find(name, version));
  InferRequest request;
  request.inputs = inputs;
  RETURN_IF_ERROR(FitToModel(model->config, request));
  ASSIGN_OR_RETURN(Tensors outputs,
                   InferCounted(*model, request.inputs, options, nullptr));
  for (Tensor& output : outputs) {
    output.shape = AnswerShape(model->config, output);
  }
  return outputs;
}

std::vector<TensorSpec> SpecsOf(const ModelConfig& config,
                                const std::vector<TensorConfig>& tensors) {
  std::vector<TensorSpec> specs;
  for (const TensorConfig& tensor : tensors) {
    TensorSpec spec;
    spec.name = tensor.name;
    spec.datatype = tensor.datatype;
    spec.shape = WireShape(config, tensor);
    if (tensor.is_scalar) spec.shape = {-1};
    spec.optional = tensor.optional;
    specs.push_back(std::move(spec));
  }
  return specs;
}

ServableOr MakePython(const KserveModels& models,
                      const BackendRequest& request) {
  const ModelConfig& model = request.config;
  PythonConfig config;
  config.model_name = model.name;
  config.version = request.config.version;
  config.model_folder = request.model_folder;
  config.version_folder = request.version_folder;
  config.script = model.default_model_filename;
  config.model_config = ConfigJson(model).dump();
  config.inputs = SpecsOf(model, model.inputs);
  config.outputs = SpecsOf(model, model.outputs);
  config.max_batch_size = model.max_batch_size;
  config.batching = model.dynamic_batching;
  for (const TensorConfig& input : model.inputs) {
    if (input.ragged) config.ragged.push_back(input.name);
  }
  config.auto_complete = request.auto_complete;
  config.num_instances = std::max(1, model.num_instances());
  config.cores = model.cores;
  const auto environment = model.parameters.find("EXECUTION_ENV_PATH");
  if (environment != model.parameters.end()) {
    config.interpreter = environment->second;
  }
  ASSIGN_OR_RETURN(
      config.max_memory_bytes,
      model.IntParameter("max_memory_bytes", 0, 0, kMaxMemoryBytes));
  ASSIGN_OR_RETURN(
      const int64_t limit_ms,
      model.IntParameter("execute_limit_ms", config.execute_limit_us / 1'000, 1,
                         kMaxExecuteMs));
  config.execute_limit_us = 1'000 * limit_ms;
  config.call_model = [&models](
                          const std::string& name, const std::string& version,
                          const Tensors& inputs, const CallOptions& options) {
    return AskModel(models, name, version, inputs, options);
  };
  config.is_ready = [&models](const std::string& name,
                              const std::string& version) {
    return models.Find(name, version).ok();
  };
  ASSIGN_OR_RETURN(auto servable, PythonServable::Create(std::move(config)));
  // As the script's auto_complete_config left them.
  request.completed.max_batch_size = servable->max_batch_size();
  if (servable->batches() && !model.dynamic_batching) {
    request.completed.dynamic_batching.emplace();
  }
  return std::shared_ptr<Servable>(std::move(servable));
}

}  // namespace

Backends MakeBackends(KserveModels& models) {
  Backends backends;
  backends.recognise = Recognise;
  const auto add = [&](const char* name, BackendFactory factory,
                       const BackendTraits& traits) {
    backends.factories[name] = std::move(factory);
    backends.traits[name] = traits;
  };
  const BackendTraits texts = {.max_batch_size = kMaxTextBatch};
  const BackendTraits networks = {.schedules = true,
                                  .max_batch_size = kMaxNetworkBatch};
  add("encoder", MakeEncoder,
      {.schedules = true, .max_batch_size = kMaxTextBatch});
  add("corrector", MakeCorrector, {.schedules = true});
  add("tokenizer", MakeTokenizer, texts);
  add("detokenizer", MakeDetokenizer, texts);
  add("bart_encoder", MakeBartNetwork<BartEncoderServable>, networks);
  add("bart_decoder", MakeBartNetwork<BartDecoderServable>, networks);
  add("identity", MakeIdentity, texts);
  add("addsub", MakeAddSub, texts);
  add("python",
      [&models](const BackendRequest& request) {
        return MakePython(models, request);
      },
      {.schedules = true});
  return backends;
}

}  // namespace quaver
