// See batching_servable.h.
#include "quaver/sched/batching_servable.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "quaver/base/workers.h"
#include "quaver/sched/internal/tensor_rows.h"
#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

bool IsRagged(const BatchingConfig& config, const std::string& input) {
  return std::find(config.ragged.begin(), config.ragged.end(), input) !=
         config.ragged.end();
}

bool IsBatchInput(const BatchingConfig& config, const std::string& input) {
  return std::any_of(config.batch_inputs.begin(), config.batch_inputs.end(),
                     [&](const BatchInput& one) { return one.name == input; });
}

template <typename Value>
void SetValues(const std::vector<int64_t>& values, Tensor& tensor) {
  const std::vector<Value> converted(values.begin(), values.end());
  const auto bytes = std::as_bytes(std::span(converted));
  tensor.raw.assign(bytes.begin(), bytes.end());
}

// `counts`: elements of each call's source.
Tensor MakeBatchInput(const BatchInput& batch_input,
                      const std::vector<int64_t>& counts) {
  using Kind = BatchInput::Kind;
  Tensor tensor;
  tensor.name = batch_input.name;
  tensor.datatype = batch_input.datatype;
  std::vector<int64_t> values;
  if (batch_input.kind == Kind::kMaxElementCountAsShape) {
    values.resize(
        static_cast<size_t>(*std::max_element(counts.begin(), counts.end())));
  } else if (batch_input.kind == Kind::kElementCount) {
    values = counts;
  } else {
    int64_t end = 0;
    if (batch_input.kind == Kind::kAccumulatedElementCountWithZero) {
      values.push_back(0);
    }
    for (const int64_t count : counts) values.push_back(end += count);
  }
  tensor.shape = {static_cast<int64_t>(values.size())};
  if (batch_input.datatype == Datatype::kFp32) {
    SetValues<float>(values, tensor);
  } else {
    SetValues<int32_t>(values, tensor);
  }
  return tensor;
}

}  // namespace

struct BatchingServable::Call : BatchItem {
  const Tensors* request = nullptr;
  std::string kind_bytes;
  Tensors answer;

  void Take(absl::StatusOr<Tensors> result) {
    status = result.status();
    if (result.ok()) answer = *std::move(result);
  }
};

absl::StatusOr<std::unique_ptr<BatchingServable>> BatchingServable::Create(
    const BatchingConfig& config, Make make, const Clock& clock) {
  RETURN_IF_ERROR(CheckBatcherConfig(config.batcher));
  if (std::any_of(config.cores.begin(), config.cores.end(),
                  [](int core) { return core < 0; })) {
    return absl::InvalidArgumentError("a core of an instance is negative");
  }
  auto servable = std::unique_ptr<BatchingServable>(
      new BatchingServable(config, std::move(make)));
  const int num_instances = config.batcher.num_instances == 0
                                ? AvailableCores()
                                : config.batcher.num_instances;
  RETURN_IF_ERROR(servable->MakeInstances(num_instances));
  RETURN_IF_ERROR(servable->CheckConfig());
  ASSIGN_OR_RETURN(servable->batcher_,
                   Batcher::Create(
                       config.batcher,
                       [own = servable.get()](
                           int instance, std::span<BatchItem* const> batch) {
                         own->ComputeBatch(instance, batch);
                       },
                       clock));
  return servable;
}

BatchingServable::BatchingServable(const BatchingConfig& config, Make make)
    : config_(config), make_(std::move(make)) {}

BatchingServable::~BatchingServable() = default;

absl::Status BatchingServable::MakeInstances(int num_instances) {
  std::vector<std::shared_ptr<Servable>> instances;
  {
    const MutexLock lock(&mutex_);
    instances = instances_;
  }
  for (auto i = static_cast<int>(instances.size()); i < num_instances; ++i) {
    ASSIGN_OR_RETURN(std::shared_ptr<Servable> made, make_(i));
    instances.push_back(std::move(made));
  }
  if (first_ == nullptr) first_ = instances.front();
  const MutexLock lock(&mutex_);
  instances_ = std::move(instances);
  return absl::OkStatus();
}

absl::Status BatchingServable::CheckConfig() const {
  const std::vector<TensorSpec> known = first_->inputs();
  const auto check = [&](const std::string& name) {
    if (std::any_of(known.begin(), known.end(), [&](const TensorSpec& spec) {
          return spec.name == name;
        })) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(fmt::format(
        "the model has no input {} that could be ragged or be made", name));
  };
  for (const std::string& name : config_.ragged) RETURN_IF_ERROR(check(name));
  for (const BatchInput& input : config_.batch_inputs) {
    RETURN_IF_ERROR(check(input.name));
    if (!IsRagged(config_, input.source)) {
      return absl::InvalidArgumentError(
          fmt::format("batch input {}: its source {} is no ragged input",
                      input.name, input.source));
    }
    if (input.datatype != Datatype::kInt32 &&
        input.datatype != Datatype::kFp32) {
      return absl::InvalidArgumentError(
          fmt::format("batch input {} is neither INT32 nor FP32", input.name));
    }
  }
  return absl::OkStatus();
}

std::vector<TensorSpec> BatchingServable::inputs() const {
  std::vector<TensorSpec> inputs = first_->inputs();
  std::erase_if(inputs, [&](const TensorSpec& spec) {
    return IsBatchInput(config_, spec.name);
  });
  return inputs;
}

std::vector<TensorSpec> BatchingServable::outputs() const {
  return first_->outputs();
}

ServableCounts BatchingServable::counts() const {
  ServableCounts counts = first_->counts();
  counts.batcher = batcher_->statistics();
  return counts;
}

absl::Status BatchingServable::Resize(int num_instances) {
  if (num_instances < 0) {
    return absl::InvalidArgumentError("the number of instances is negative");
  }
  const int wanted = num_instances == 0 ? AvailableCores() : num_instances;
  const MutexLock resizing(&resizing_);
  RETURN_IF_ERROR(MakeInstances(wanted));
  batcher_->Resize(wanted);
  std::vector<std::shared_ptr<Servable>> unwanted;
  const MutexLock lock(&mutex_);
  while (static_cast<int>(instances_.size()) > wanted) {
    unwanted.push_back(std::move(instances_.back()));
    instances_.pop_back();
  }
  return absl::OkStatus();
}

absl::StatusOr<Tensors> BatchingServable::Infer(const Tensors& request,
                                                const CallOptions& options,
                                                CallTimes* times) {
  Call call;
  ASSIGN_OR_RETURN(call.size, NumRows(request));
  for (const Tensor& tensor : request) {
    if (IsBatchInput(config_, tensor.name)) {
      return absl::InvalidArgumentError(
          fmt::format("input {} is made by the server", tensor.name));
    }
  }
  call.tokens = call.size;
  call.request = &request;
  call.options = options;
  call.kind_bytes = TensorsKind(request, config_.ragged);
  call.kind_bytes += options.parameters;
  call.kind = call.kind_bytes;
  RETURN_IF_ERROR(batcher_->Run(call));
  if (times != nullptr) {
    times->queue_us += call.times.queue_us;
    times->compute_us += call.times.compute_us;
  }
  return std::move(call.answer);
}

void BatchingServable::ComputeBatch(int instance,
                                    std::span<BatchItem* const> batch) {
  std::optional<ScopedPin> pin;
  if (!config_.cores.empty()) {
    pin.emplace(
        config_.cores[static_cast<size_t>(instance) % config_.cores.size()]);
  }
  std::shared_ptr<Servable> servable;
  {
    const MutexLock lock(&mutex_);
    servable = instances_[static_cast<size_t>(instance)];
  }
  Calls calls;
  for (BatchItem* item : batch) calls.push_back(static_cast<Call*>(item));
  if (calls.size() == 1) {
    ComputeOne(*servable, *calls[0]);
  } else {
    ComputeMerged(*servable, calls);
  }
}

void BatchingServable::ComputeOne(Servable& servable, Call& call) const {
  call.Take(config_.ragged.empty()
                ? servable.Infer(*call.request, call.options, nullptr)
                : servable.Infer(Merge({&call}), call.options, nullptr));
}

void BatchingServable::ComputeMerged(Servable& servable,
                                     const Calls& calls) const {
  CallOptions options{.deadline_us = 0,
                      .parameters = calls[0]->options.parameters};
  std::vector<int> rows;
  for (const Call* call : calls) {
    options.deadline_us =
        std::max(options.deadline_us, call->options.deadline_us);
    options.depth = std::max(options.depth, call->options.depth);
    rows.push_back(call->size);
  }
  const auto answer = servable.Infer(Merge(calls), options, nullptr);
  if (absl::IsInvalidArgument(answer.status())) {
    for (Call* call : calls) ComputeOne(servable, *call);
    return;
  }
  auto parts = answer.ok()
                   ? PartRows(*answer, rows)
                   : absl::StatusOr<std::vector<Tensors>>(answer.status());
  for (size_t i = 0; i < calls.size(); ++i) {
    calls[i]->status = parts.status();
    if (parts.ok()) calls[i]->answer = std::move((*parts)[i]);
  }
}

Tensors BatchingServable::Merge(const Calls& calls) const {
  Tensors merged;
  std::vector<const Tensor*> sources;
  const auto gather = [&](const std::string& name) {
    sources.clear();
    for (const Call* call : calls) {
      sources.push_back(FindTensor(*call->request, name));
    }
  };
  for (const Tensor& tensor : *calls[0]->request) {
    gather(tensor.name);
    merged.push_back(IsRagged(config_, tensor.name) ? JoinElements(sources)
                                                    : JoinRows(sources));
  }
  for (const BatchInput& input : config_.batch_inputs) {
    if (FindTensor(merged, input.source) == nullptr) continue;  // optional
    gather(input.source);
    std::vector<int64_t> counts;
    for (const Tensor* source : sources) counts.push_back(NumElements(*source));
    merged.push_back(MakeBatchInput(input, counts));
  }
  return merged;
}

}  // namespace quaver
