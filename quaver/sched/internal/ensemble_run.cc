// See ensemble_run.h.
#include "quaver/sched/internal/ensemble_run.h"

#include <algorithm>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/base/cores.h"

namespace quaver {

EnsembleRun::EnsembleRun(const EnsembleGraph& graph, Ask ask)
    : graph_(graph), ask_(std::move(ask)) {
  const MutexLock lock(&mutex_);
  tensors_.resize(graph.wires.size());
  missing_.resize(graph.steps.size());
  chains_.resize(graph.steps.size());
  for (const EnsembleGraph::Wire& wire : graph.wires) {
    takers_left_.push_back(wire.takers.size() + (wire.is_output ? 1 : 0));
    for (const size_t taker : wire.takers) {
      if (wire.maker) ++missing_[taker];
    }
  }
}

absl::Status EnsembleRun::Start(const Tensors& request) {
  const MutexLock lock(&mutex_);
  for (const Tensor& tensor : request) {
    const std::optional<size_t> wire = graph_.FindInput(tensor.name);
    if (!wire) {
      return absl::InvalidArgumentError(
          fmt::format("unexpected inference input '{}'", tensor.name));
    }
    if (tensors_[*wire]) {
      return absl::InvalidArgumentError(
          fmt::format("input '{}' is there twice", tensor.name));
    }
    if (tensor.datatype != graph_.wires[*wire].spec.datatype) {
      return absl::InvalidArgumentError(fmt::format(
          "input '{}' is not of the ensemble's datatype", tensor.name));
    }
    tensors_[*wire] = tensor;
  }
  for (size_t i = 0; i < graph_.wires.size(); ++i) {
    const EnsembleGraph::Wire& wire = graph_.wires[i];
    if (!wire.maker && !wire.spec.optional && !tensors_[i]) {
      return absl::InvalidArgumentError(
          fmt::format("there is no input '{}'", wire.spec.name));
    }
  }
  for (size_t step = 0; step < missing_.size(); ++step) {
    if (missing_[step] == 0) ready_.push_back(step);
  }
  return absl::OkStatus();
}

size_t EnsembleRun::num_ready() const {
  const MutexLock lock(&mutex_);
  return ready_.size();
}

bool EnsembleRun::ComputeOne() {
  size_t step = 0;
  Tensors request;
  {
    const MutexLock lock(&mutex_);
    if (ready_.empty()) return false;
    step = ready_.front();
    ready_.pop_front();
    ++num_running_;
    request = TakeInputs(step);
  }
  CallTimes times;
  absl::StatusOr<Tensors> outputs = ask_(step, request, times);
  const MutexLock lock(&mutex_);
  --num_running_;
  AddTimes(step, times);
  if (outputs.ok()) {
    Put(step, *std::move(outputs));
  } else {
    Fail(outputs.status());
  }
  return true;
}

Tensors EnsembleRun::TakeInputs(size_t step) {
  Tensors request;
  for (const EnsembleGraph::End& input : graph_.steps[step].inputs) {
    if (!tensors_[input.tensor]) continue;  // an optional one
    Tensor tensor = Take(input.tensor);
    tensor.name = input.name;
    FitRank(input.shape, tensor);
    request.push_back(std::move(tensor));
  }
  return request;
}

Tensor EnsembleRun::Take(size_t wire) {
  std::optional<Tensor>& tensor = tensors_[wire];
  if (--takers_left_[wire] > 0) return *tensor;
  return *std::exchange(tensor, std::nullopt);
}

void EnsembleRun::Put(size_t step, Tensors outputs) {
  for (const EnsembleGraph::End& output : graph_.steps[step].outputs) {
    const auto found = std::find_if(
        outputs.begin(), outputs.end(),
        [&](const Tensor& tensor) { return tensor.name == output.name; });
    QUAVER_CHECK(found != outputs.end());
    tensors_[output.tensor] = std::move(*found);
    for (const size_t taker : graph_.wires[output.tensor].takers) {
      if (--missing_[taker] == 0 && error_.ok()) ready_.push_back(taker);
    }
  }
}

void EnsembleRun::AddTimes(size_t step, const CallTimes& times) {
  CallTimes& chain = chains_[step];
  for (const EnsembleGraph::End& input : graph_.steps[step].inputs) {
    const auto maker = graph_.wires[input.tensor].maker;
    if (!maker) continue;
    chain.queue_us = std::max(chain.queue_us, chains_[*maker].queue_us);
    chain.compute_us = std::max(chain.compute_us, chains_[*maker].compute_us);
  }
  chain.queue_us += times.queue_us;
  chain.compute_us += times.compute_us;
}

void EnsembleRun::Fail(absl::Status status) {
  if (error_.ok()) error_ = std::move(status);
  ready_.clear();
}

bool EnsembleRun::HasWorkOrEnded() const {
  return !ready_.empty() || num_running_ == 0;
}

bool EnsembleRun::AwaitWork() {
  const CorePause pause;
  const MutexLock lock(&mutex_);
  mutex_.Await(this, &EnsembleRun::HasWorkOrEnded);
  return !ready_.empty();
}

absl::StatusOr<Tensors> EnsembleRun::Finish(
    const std::vector<TensorSpec>& outputs, CallTimes* times) {
  const MutexLock lock(&mutex_);
  if (times != nullptr) {
    CallTimes longest;
    for (const CallTimes& chain : chains_) {
      longest.queue_us = std::max(longest.queue_us, chain.queue_us);
      longest.compute_us = std::max(longest.compute_us, chain.compute_us);
    }
    times->queue_us += longest.queue_us;
    times->compute_us += longest.compute_us;
  }
  if (!error_.ok()) return error_;
  Tensors answer;
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor tensor = Take(graph_.outputs[i]);
    tensor.name = outputs[i].name;
    FitRank(outputs[i].shape, tensor);
    answer.push_back(std::move(tensor));
  }
  return answer;
}

EnsembleThreads::EnsembleThreads(int num_threads) {
  for (int i = 0; i < num_threads; ++i) {
    threads_.emplace_back([this] { Work(); });
  }
}

EnsembleThreads::~EnsembleThreads() {
  {
    const MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

void EnsembleThreads::Offer(const std::shared_ptr<EnsembleRun>& run,
                            size_t num_threads) {
  const MutexLock lock(&mutex_);
  for (size_t i = 0; i < std::min(num_threads, threads_.size()); ++i) {
    offers_.push_back(run);
  }
}

void EnsembleThreads::Withdraw(const std::shared_ptr<EnsembleRun>& run) {
  const MutexLock lock(&mutex_);
  std::erase(offers_, run);
}

void EnsembleThreads::Work() {
  while (const std::shared_ptr<EnsembleRun> run = Next()) {
    while (run->ComputeOne()) {
      const size_t num_ready = run->num_ready();
      if (num_ready > 1) Offer(run, num_ready - 1);
    }
  }
}

std::shared_ptr<EnsembleRun> EnsembleThreads::Next() {
  const MutexLock lock(&mutex_);
  mutex_.Await(this, &EnsembleThreads::HasWork);
  if (offers_.empty()) return nullptr;
  std::shared_ptr<EnsembleRun> run = std::move(offers_.front());
  offers_.pop_front();
  return run;
}

bool EnsembleThreads::HasWork() const { return stopping_ || !offers_.empty(); }

}  // namespace quaver
