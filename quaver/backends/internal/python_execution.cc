// See python_execution.h.
#include "quaver/backends/internal/python_execution.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/ranges.h>

#include "quaver/base/clock.h"
#include "quaver/base/cores.h"

namespace quaver {
namespace {

constexpr int64_t kTickUs = 10'000;  // how late it is seen that a caller left
constexpr int64_t kAnswerLimitUs = 10'000'000;  // to hand over an answer
constexpr int kMaxCalls = 256;                  // of a batch, at once

using Type = PythonMessageType;

constexpr const char* kDatatypeNames[] = {
    "BOOL",  "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16",
    "INT32", "INT64", "FP16",   "FP32",   "FP64",   "BF16", "BYTES"};

std::string Describe(Datatype datatype, const std::vector<int64_t>& shape) {
  return fmt::format("{}[{}]", kDatatypeNames[static_cast<size_t>(datatype)],
                     fmt::join(shape, ", "));
}

bool Fits(const std::vector<int64_t>& shape, const std::vector<int64_t>& spec) {
  return std::equal(shape.begin(), shape.end(), spec.begin(), spec.end(),
                    [](int64_t dimension, int64_t wanted) {
                      return dimension >= 0 &&
                             (wanted == -1 || dimension == wanted);
                    });
}

// A call of another model, and what it needs when its batch is over.
struct ModelCall {
  uint64_t number = 0;
  std::string model;
  std::string version;
  std::string request_id;
  std::string parameters;
  Tensors inputs;
  std::vector<std::string> wanted;  // empty: all
  CallOptions options;
};

absl::StatusOr<ModelCall> ReadCall(const std::string& payload) {
  PythonReader reader(payload);
  ModelCall call;
  call.number = reader.U64();
  call.model = reader.String();
  const int64_t version = reader.I64();
  if (version >= 0) call.version = std::to_string(version);
  call.request_id = reader.String();
  call.parameters = reader.String();
  const auto timeout_us = reader.I64();
  if (timeout_us > 0) {
    const int64_t now_us = Clock::Real().NowUs();
    call.options.deadline_us =
        timeout_us < kNever - now_us ? now_us + timeout_us : kNever;
  }
  call.inputs = reader.ReadTensors();
  const uint32_t num_wanted = reader.U32();
  for (uint32_t i = 0; i < num_wanted && reader.ok(); ++i) {
    call.wanted.push_back(reader.String());
  }
  RETURN_IF_ERROR(reader.Finish());
  return call;
}

absl::Status SendAnswer(PythonProcess& process, uint64_t number,
                        const absl::StatusOr<Tensors>& outputs) {
  PythonWriter writer;
  writer.U64(number);
  writer.Answer(outputs);
  return process.Send(Type::kAnswer, {writer.payload()},
                      Clock::Real().NowUs() + kAnswerLimitUs);
}

// The wanted outputs in their order.
absl::StatusOr<Tensors> Choose(Tensors outputs, const ModelCall& call) {
  if (call.wanted.empty()) return outputs;
  Tensors chosen;
  for (const std::string& name : call.wanted) {
    const auto found =
        std::find_if(outputs.begin(), outputs.end(),
                     [&](const Tensor& tensor) { return tensor.name == name; });
    if (found == outputs.end()) {
      return absl::InvalidArgumentError(fmt::format(
          "unexpected inference output '{}' for model '{}'", name, call.model));
    }
    chosen.push_back(std::move(*found));
    outputs.erase(found);
  }
  return chosen;
}

}  // namespace

void PythonJob::Finish() {
  const MutexLock lock(&mutex);
  done = true;
}

bool PythonJob::AwaitDone(int64_t timeout_us) {
  const CorePause pause;
  const MutexLock lock(&mutex);
  return mutex.AwaitFor(this, &PythonJob::IsDone, timeout_us);
}

absl::Status CheckTensor(const char* kind, const Tensor& tensor,
                         const TensorSpec& spec) {
  if (tensor.datatype == spec.datatype && Fits(tensor.shape, spec.shape)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      fmt::format("{} {} is {}, expected {}", kind, tensor.name,
                  Describe(tensor.datatype, tensor.shape),
                  Describe(spec.datatype, spec.shape)));
}

// What calls of other models share, as they may outlive the batch.
struct BatchCalls {
  std::atomic<bool> cancelled{false};
  std::atomic<int> num_running{0};
};

struct PythonExecution::Batch {
  std::shared_ptr<PythonProcess> process;
  std::span<PythonJob* const> jobs;
  std::vector<bool> has_left;
  int64_t deadline_us = 0;  // the latest of the jobs'
  int64_t kill_us = 0;
  int depth = 0;
  bool is_answered = false;
  std::shared_ptr<BatchCalls> calls = std::make_shared<BatchCalls>();
};

absl::Status PythonExecution::Run(const std::shared_ptr<PythonProcess>& process,
                                  std::span<PythonJob* const> jobs) {
  Batch batch = {.process = process, .jobs = jobs};
  batch.has_left.resize(jobs.size());
  for (const PythonJob* job : jobs) {
    batch.deadline_us = std::max(batch.deadline_us, job->options.deadline_us);
    batch.depth = std::max(batch.depth, job->options.depth);
  }
  const absl::Status health = Converse(batch);
  batch.calls->cancelled = true;
  if (health.ok()) return health;
  process->Kill();
  for (PythonJob* job : jobs) {
    job->status = CheckWanted(job->options, Clock::Real().NowUs());
    if (job->status.ok()) {
      job->status = absl::UnavailableError(
          fmt::format("model {}: {}", config_.model_name, Message(health)));
    }
  }
  return health;
}

absl::Status PythonExecution::Converse(Batch& batch) {
  const int64_t begin_us = Clock::Real().NowUs();
  batch.kill_us = begin_us + config_.execute_limit_us;
  RETURN_IF_ERROR(SendRequests(batch));
  while (!batch.is_answered) {
    const int64_t now_us = Clock::Real().NowUs();
    if (now_us >= batch.kill_us) {
      return absl::DeadlineExceededError(fmt::format(
          "its Python process did not answer within {} ms and was killed",
          (now_us - begin_us) / 1000));
    }
    const auto message =
        batch.process->Receive(std::min(now_us + kTickUs, batch.kill_us));
    if (message.ok()) {
      RETURN_IF_ERROR(ReadMessage(*message, batch));
    } else if (!absl::IsDeadlineExceeded(message.status())) {
      return message.status();
    }
    if (!batch.is_answered) RETURN_IF_ERROR(NoticeLeft(batch));
  }
  return absl::OkStatus();
}

absl::Status PythonExecution::SendRequests(const Batch& batch) const {
  PythonWriter count;
  count.U32(static_cast<uint32_t>(batch.jobs.size()));
  std::string requests = count.Take();
  for (const PythonJob* job : batch.jobs) requests += job->request;
  return batch.process->Send(Type::kExecute, {requests}, batch.kill_us);
}

absl::Status PythonExecution::ReadMessage(const PythonMessage& message,
                                          Batch& batch) {
  if (message.type == Type::kCall) return StartCall(message.payload, batch);
  if (message.type == Type::kReady) return AnswerReady(message.payload, batch);
  batch.is_answered = true;
  if (message.type == Type::kExecuted) {
    return ReadAnswers(message.payload, batch);
  }
  if (message.type != Type::kFailed) {
    return absl::InternalError("its Python process broke the protocol");
  }
  PythonReader reader(message.payload);
  const std::string why = reader.String();
  for (PythonJob* job : batch.jobs) {
    job->status = absl::InternalError(
        fmt::format("model {}: {}", config_.model_name, why));
  }
  return reader.Finish();
}

absl::Status PythonExecution::NoticeLeft(Batch& batch) const {
  const int64_t now_us = Clock::Real().NowUs();
  bool all = true;
  for (size_t i = 0; i < batch.jobs.size(); ++i) {
    if (batch.has_left[i]) continue;
    if (CheckWanted(batch.jobs[i]->options, now_us).ok()) {
      all = false;
      continue;
    }
    batch.has_left[i] = true;
    PythonWriter number;
    number.U32(static_cast<uint32_t>(i));
    RETURN_IF_ERROR(
        batch.process->Send(Type::kCancel, {number.payload()}, batch.kill_us));
  }
  if (!all) return absl::OkStatus();
  batch.calls->cancelled = true;
  if (stopping_) {
    batch.kill_us = std::min(batch.kill_us, now_us + config_.finalize_limit_us);
  }
  return absl::OkStatus();
}

absl::Status PythonExecution::ReadAnswers(const std::string& payload,
                                          Batch& batch) const {
  PythonReader reader(payload);
  const uint32_t count = reader.U32();
  if (count != batch.jobs.size()) {
    return absl::InternalError("its Python process broke the protocol");
  }
  for (PythonJob* job : batch.jobs) {
    auto answer = reader.Answer();
    RETURN_IF_ERROR(reader.ok() ? absl::OkStatus() : reader.Finish());
    job->status = answer.status();
    if (!answer.ok()) continue;
    job->status = CheckOutputs(*answer, *job);
    job->outputs = *std::move(answer);
  }
  return reader.Finish();
}

absl::Status PythonExecution::CheckOutputs(const Tensors& outputs,
                                           const PythonJob& job) const {
  for (const Tensor& output : outputs) {
    const auto spec = std::find_if(
        config_.outputs.begin(), config_.outputs.end(),
        [&](const TensorSpec& known) { return known.name == output.name; });
    absl::Status status =
        spec == config_.outputs.end()
            ? absl::InternalError(fmt::format(
                  "output {} is not in its configuration", output.name))
            : CheckTensor("output", output, *spec);
    if (status.ok() && config_.max_batch_size > 0 &&
        output.shape[0] != job.size) {
      status = absl::InternalError(
          fmt::format("output {} has {} rows, its inputs have {}", output.name,
                      output.shape[0], job.size));
    }
    if (!status.ok()) {
      return absl::InternalError(
          fmt::format("model {}: {}", config_.model_name, Message(status)));
    }
  }
  return absl::OkStatus();
}

absl::Status PythonExecution::AnswerReady(const std::string& payload,
                                          Batch& batch) const {
  PythonReader reader(payload);
  const uint64_t number = reader.U64();
  const std::string model = reader.String();
  const std::string version = reader.String();
  RETURN_IF_ERROR(reader.Finish());
  if (config_.is_ready(model, version)) {
    return SendAnswer(*batch.process, number, Tensors());
  }
  return SendAnswer(*batch.process, number,
                    absl::NotFoundError("it is not ready"));
}

absl::Status PythonExecution::StartCall(const std::string& payload,
                                        Batch& batch) {
  ASSIGN_OR_RETURN(ModelCall read, ReadCall(payload));
  read.options.deadline_us =
      std::min(read.options.deadline_us, batch.deadline_us);
  read.options.cancelled = &batch.calls->cancelled;
  read.options.depth = batch.depth + 1;
  const auto answer = [process = batch.process](
                          uint64_t number,
                          const absl::StatusOr<Tensors>& outputs) {
    // Where it is dead, whoever waits for it sees that.
    SendAnswer(*process, number, outputs).IgnoreError();
  };
  const uint64_t number = read.number;
  if (batch.calls->num_running.fetch_add(1) >= kMaxCalls) {
    --batch.calls->num_running;
    answer(number, absl::UnavailableError(fmt::format(
                       "more than {} calls of models at once", kMaxCalls)));
    return absl::OkStatus();
  }
  // It has what it needs: the last holder of this model may be the call.
  const absl::Status started =
      threads_.Run([call_model = config_.call_model, answer,
                    calls = batch.calls, call = std::move(read)]() mutable {
        call.options.request_id = call.request_id;
        call.options.parameters = call.parameters;
        call.options.outputs = call.wanted;
        absl::StatusOr<Tensors> outputs =
            call_model(call.model, call.version, call.inputs, call.options);
        if (outputs.ok()) outputs = Choose(*std::move(outputs), call);
        answer(call.number, outputs);
        --calls->num_running;
      });
  if (!started.ok()) {
    --batch.calls->num_running;
    answer(number, started);
  }
  return absl::OkStatus();
}

}  // namespace quaver
