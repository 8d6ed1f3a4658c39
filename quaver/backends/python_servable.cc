// See python_servable.h.
#include "quaver/backends/python_servable.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "quaver/backends/internal/python_execution.h"
#include "quaver/backends/internal/python_pool.h"
#include "quaver/backends/internal/waiting_threads.h"
#include "quaver/base/clock.h"
#include "quaver/base/json.h"
#include "quaver/base/workers.h"
#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

constexpr int64_t kTickUs = 10'000;  // how late a cancellation is seen

using nlohmann::json;

// The names of config.pbtxt, in the order of Datatype.
constexpr const char* kConfigDatatypes[] = {
    "TYPE_BOOL", "TYPE_UINT8", "TYPE_UINT16", "TYPE_UINT32", "TYPE_UINT64",
    "TYPE_INT8", "TYPE_INT16", "TYPE_INT32",  "TYPE_INT64",  "TYPE_FP16",
    "TYPE_FP32", "TYPE_FP64",  "TYPE_BF16",   "TYPE_STRING"};

absl::StatusOr<TensorSpec> ReadSpec(const json& tensor, bool has_batch) {
  const auto refused = absl::InvalidArgumentError(fmt::format(
      "auto_complete_config: no name, data_type and dims of a tensor: {}",
      tensor.dump(-1, ' ', true, json::error_handler_t::replace)));
  if (!tensor.is_object()) return refused;
  const json name = tensor.value("name", json());
  const json datatype = tensor.value("data_type", json());
  const json dims = tensor.value("dims", json());
  const auto* known = std::find(std::begin(kConfigDatatypes),
                                std::end(kConfigDatatypes), datatype);
  if (!name.is_string() || !dims.is_array() ||
      known == std::end(kConfigDatatypes)) {
    return refused;
  }
  TensorSpec spec = {.name = name.get<std::string>()};
  spec.datatype = static_cast<Datatype>(known - kConfigDatatypes);
  if (has_batch) spec.shape.push_back(-1);
  // The only reshape there is leaves the batch dimension alone.
  const bool is_scalar = tensor.contains("reshape");
  for (const json& dimension : dims) {
    if (!dimension.is_number_integer()) return refused;
    if (!is_scalar) spec.shape.push_back(dimension.get<int64_t>());
  }
  const json optional = tensor.value("optional", json());
  spec.optional = optional.is_boolean() && optional.get<bool>();
  return spec;
}

absl::StatusOr<std::vector<TensorSpec>> ReadSpecs(const json& config,
                                                  const char* key,
                                                  bool has_batch) {
  std::vector<TensorSpec> specs;
  for (const json& tensor : config.value(key, json::array())) {
    ASSIGN_OR_RETURN(specs.emplace_back(), ReadSpec(tensor, has_batch));
  }
  return specs;
}

// What the script changed.
absl::Status ReadCompleted(const json& completed, PythonConfig& config) {
  const json rows = completed.is_object()
                        ? completed.value("max_batch_size", json(0))
                        : json();
  if (!rows.is_number_integer() || rows.get<int64_t>() < 0 ||
      rows.get<int64_t>() > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError(
        "auto_complete_config: max_batch_size is no number");
  }
  config.max_batch_size = rows.get<int>();
  const bool has_batch = config.max_batch_size > 0;
  ASSIGN_OR_RETURN(config.inputs, ReadSpecs(completed, "input", has_batch));
  ASSIGN_OR_RETURN(config.outputs, ReadSpecs(completed, "output", has_batch));
  if (completed.contains("dynamic_batching") && !config.batching) {
    config.batching.emplace();
  }
  return absl::OkStatus();
}

absl::Status Complete(PythonConfig& config) {
  if (config.auto_complete) {
    ASSIGN_OR_RETURN(std::string text, CompletePythonConfig(config));
    const json completed = ParseJson(text);
    if (completed != ParseJson(config.model_config)) {
      RETURN_IF_ERROR(ReadCompleted(completed, config));
      config.model_config = std::move(text);
    }
  }
  if (!config.inputs.empty() && !config.outputs.empty()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(fmt::format(
      "neither the configuration nor auto_complete_config names an {}",
      config.inputs.empty() ? "input" : "output"));
}

BatcherConfig BatchesOf(const PythonConfig& config) {
  BatcherConfig batches = {.num_instances = config.num_instances,
                           .max_batch_size = config.max_batch_size};
  if (config.batching) batches.batching = *config.batching;
  // Each call counts as one token: no two of them fit.
  if (!config.batching || config.max_batch_size == 0) {
    batches.max_batch_tokens = 1;
  }
  return batches;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PythonServable>> PythonServable::Create(
    PythonConfig config) {
  if (!config.call_model) {
    config.call_model = [](const std::string& model, const std::string&,
                           const Tensors&,
                           const CallOptions&) -> absl::StatusOr<Tensors> {
      return absl::NotFoundError(
          fmt::format("Request for unknown model: '{}' is not found", model));
    };
  }
  if (!config.is_ready) {
    config.is_ready = [](const std::string&, const std::string&) {
      return false;
    };
  }
  std::unique_ptr<PythonServable> servable(
      new PythonServable(std::move(config)));
  RETURN_IF_ERROR(
      Annotate(servable->Start(),
               fmt::format("model {}", servable->config_.model_name)));
  return servable;
}

PythonServable::PythonServable(PythonConfig config)
    : config_(std::move(config)),
      threads_(std::make_unique<WaitingThreads>()),
      execution_(std::make_unique<PythonExecution>(config_, *threads_)),
      pool_(std::make_unique<PythonPool>(config_)) {}

PythonServable::~PythonServable() {
  execution_->Stop();
  if (batcher_ != nullptr) batcher_->Stop();
  threads_.reset();  // of callers that left, which are in the batcher
}

absl::Status PythonServable::Start() {
  RETURN_IF_ERROR(Complete(config_));
  if (config_.num_instances == 0) config_.num_instances = AvailableCores();
  ASSIGN_OR_RETURN(
      batcher_, Batcher::Create(BatchesOf(config_),
                                [this](int, std::span<BatchItem* const> batch) {
                                  ComputeBatch(batch);
                                }));
  return pool_->Resize(config_.num_instances);
}

absl::Status PythonServable::Resize(int num_instances) {
  if (num_instances < 0) {
    return absl::InvalidArgumentError("the number of instances is negative");
  }
  const int wanted = num_instances == 0 ? AvailableCores() : num_instances;
  const MutexLock lock(&resizing_);
  const int before = batcher_->num_instances();
  if (wanted < before) batcher_->Resize(wanted);
  RETURN_IF_ERROR(Annotate(pool_->Resize(wanted),
                           fmt::format("model {}", config_.model_name)));
  if (wanted > before) batcher_->Resize(wanted);
  return absl::OkStatus();
}

ServableCounts PythonServable::counts() const {
  return {.batcher = batcher_->statistics()};
}

absl::StatusOr<int> PythonServable::CheckInputs(const Tensors& request) const {
  int64_t rows = 1;
  bool is_first = true;
  for (const TensorSpec& spec : config_.inputs) {
    const auto count = std::count_if(
        request.begin(), request.end(),
        [&](const Tensor& input) { return input.name == spec.name; });
    if (count > 1 || (count == 0 && !spec.optional)) {
      return absl::InvalidArgumentError(fmt::format(
          "input {} is {}", spec.name, count > 1 ? "there twice" : "missing"));
    }
  }
  for (const Tensor& input : request) {
    const auto spec = std::find_if(
        config_.inputs.begin(), config_.inputs.end(),
        [&](const TensorSpec& known) { return known.name == input.name; });
    if (spec == config_.inputs.end()) {
      return absl::InvalidArgumentError(
          fmt::format("unexpected inference input '{}' for model '{}'",
                      input.name, config_.model_name));
    }
    RETURN_IF_ERROR(CheckTensor("input", input, *spec));
    if (config_.max_batch_size == 0) continue;
    if (!is_first && input.shape[0] != rows) {
      return absl::InvalidArgumentError(
          fmt::format("input {} has {} rows, others have {}", input.name,
                      input.shape[0], rows));
    }
    rows = std::exchange(is_first, false) ? input.shape[0] : rows;
  }
  if (rows < 1 ||
      (config_.max_batch_size > 0 && rows > config_.max_batch_size)) {
    return absl::InvalidArgumentError(fmt::format(
        "inference request batch-size must be in [1, {}] for '{}', not {}",
        config_.max_batch_size, config_.model_name, rows));
  }
  return static_cast<int>(rows);
}

absl::StatusOr<std::shared_ptr<PythonJob>> PythonServable::MakeJob(
    const Tensors& request, const CallOptions& options) const {
  const int64_t now_us = Clock::Real().NowUs();
  RETURN_IF_ERROR(CheckWanted(options, now_us));
  if (options.depth > kMaxDepth) {
    return absl::InvalidArgumentError(
        fmt::format("models call each other more than {} deep", kMaxDepth));
  }
  auto job = std::make_shared<PythonJob>();
  ASSIGN_OR_RETURN(job->size, CheckInputs(request));
  PythonWriter writer;
  writer.Request({.id = options.request_id,
                  .parameters = options.parameters,
                  .timeout_us = options.deadline_us == kNever
                                    ? options.timeout_us
                                    : options.deadline_us - now_us,
                  .outputs = options.outputs},
                 request);
  job->request = writer.Take();
  job->tokens = 1;
  job->kind_bytes = TensorsKind(request, config_.ragged);
  job->kind = job->kind_bytes;
  job->options = options;
  job->options.request_id = job->options.parameters = {};
  job->options.outputs = {};
  return job;
}

absl::StatusOr<Tensors> PythonServable::Infer(const Tensors& request,
                                              const CallOptions& options,
                                              CallTimes* times) {
  ASSIGN_OR_RETURN(const auto job, MakeJob(request, options));
  if (options.deadline_us == kNever && options.cancelled == nullptr &&
      options.depth == 0) {
    job->status = batcher_->Run(*job);
  } else {
    RETURN_IF_ERROR(Await(job, options));
  }
  if (times != nullptr) {
    times->queue_us += job->times.queue_us;
    times->compute_us += job->times.compute_us;
  }
  RETURN_IF_ERROR(job->status);
  return std::move(job->outputs);
}

absl::Status PythonServable::WarmUp(const Tensors& request) {
  ASSIGN_OR_RETURN(const auto job, MakeJob(request, {}));
  const std::array<PythonJob*, 1> jobs = {job.get()};
  // Each is held until the last one was asked, so that none comes twice.
  std::vector<std::pair<std::shared_ptr<PythonProcess>, absl::Status>> asked;
  const int num_instances = batcher_->num_instances();
  while (static_cast<int>(asked.size()) < num_instances && job->status.ok()) {
    auto process =
        pool_->Acquire(Clock::Real().NowUs() + config_.start_limit_us);
    if (!process.ok()) {
      job->status = Annotate(process.status(),
                             fmt::format("model {}", config_.model_name));
      break;
    }
    absl::Status health = execution_->Run(*process, jobs);
    asked.emplace_back(*std::move(process), std::move(health));
  }
  for (const auto& [process, health] : asked) pool_->GiveBack(process, health);
  return job->status;
}

absl::Status PythonServable::Await(const std::shared_ptr<PythonJob>& job,
                                   const CallOptions& options) {
  job->options.cancelled = &job->left;
  int64_t now_us = Clock::Real().NowUs();
  const int64_t patience_us = now_us + config_.nested_wait_us;
  RETURN_IF_ERROR(threads_->Run([batcher = batcher_.get(), job] {
    job->status = batcher->Run(*job);
    job->Finish();
  }));
  while (!job->AwaitDone(
      std::clamp<int64_t>(options.deadline_us - now_us, 0, kTickUs))) {
    now_us = Clock::Real().NowUs();
    absl::Status status = CheckWanted(options, now_us);
    if (status.ok() && options.depth > 0 && now_us >= patience_us &&
        !job->begun) {
      status = absl::UnavailableError(fmt::format(
          "all processes of model {} were busy for {} ms; a model that a model "
          "calls waits no longer",
          config_.model_name, config_.nested_wait_us / 1000));
    }
    if (status.ok()) continue;
    job->left = true;
    return status;
  }
  return absl::OkStatus();
}

void PythonServable::ComputeBatch(std::span<BatchItem* const> batch) {
  std::vector<PythonJob*> jobs;
  int64_t deadline_us = 0;
  for (BatchItem* item : batch) {
    jobs.push_back(static_cast<PythonJob*>(item));
    deadline_us = std::max(deadline_us, item->options.deadline_us);
  }
  const auto process = pool_->Acquire(deadline_us);
  if (!process.ok()) {
    for (PythonJob* job : jobs) {
      job->status = Annotate(process.status(),
                             fmt::format("model {}", config_.model_name));
    }
    return;
  }
  for (PythonJob* job : jobs) job->begun = true;
  pool_->GiveBack(*process, execution_->Run(*process, jobs));
}

}  // namespace quaver
