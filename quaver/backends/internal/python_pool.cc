// See python_pool.h.
#include "quaver/backends/internal/python_pool.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <thread>
#include <utility>

#include "quaver/backends/python_servable.h"
#include "quaver/base/clock.h"
#include "quaver/base/log.h"

namespace quaver {
namespace {

constexpr int64_t kSendLimitUs = 10'000'000;
constexpr int64_t kStopTickUs = 50'000;  // to see that the pool is stopping
constexpr int kMaxDoublings = 20;

using Type = PythonMessageType;

int64_t InUs(int64_t limit_us) { return Clock::Real().NowUs() + limit_us; }

std::string ScriptName(const PythonConfig& config) {
  return config.script.empty() ? "model.py" : config.script;
}

std::string StartPayload(const PythonConfig& config,
                         const std::string& instance) {
  PythonWriter writer;
  writer.String(config.model_folder);
  writer.String(
      std::filesystem::path(config.version_folder).filename().string());
  writer.String(ScriptName(config));
  writer.U64(static_cast<uint64_t>(config.max_memory_bytes));
  const std::pair<std::string, std::string> arguments[] = {
      {"model_config", config.model_config},
      {"model_instance_name", instance},
      {"model_instance_kind", "CPU"},
      {"model_instance_device_id", "0"},
      {"model_repository", config.model_folder},
      {"model_version", std::to_string(config.version)},
      {"model_name", config.model_name}};
  writer.U32(static_cast<uint32_t>(std::size(arguments)));
  for (const auto& [key, value] : arguments) {
    writer.String(key);
    writer.String(value);
  }
  return writer.Take();
}

// Done's text. Cancelled when `stopping` says so.
absl::StatusOr<std::string> AwaitDone(PythonProcess& process,
                                      int64_t deadline_us,
                                      const std::function<bool()>& stopping) {
  while (true) {
    const int64_t tick_us = std::min(InUs(kStopTickUs), deadline_us);
    auto message = process.Receive(tick_us);
    if (stopping()) return absl::CancelledError("the model is being stopped");
    if (absl::IsDeadlineExceeded(message.status()) && tick_us < deadline_us) {
      continue;
    }
    RETURN_IF_ERROR(message.status());
    PythonReader reader(message->payload);
    std::string text = reader.String();
    RETURN_IF_ERROR(reader.Finish());
    if (message->type == Type::kDone) return text;
    return absl::InternalError(text);
  }
}

struct StartedPython {
  std::unique_ptr<PythonProcess> process;
  std::string text;  // of Done
};

absl::StatusOr<StartedPython> StartPython(
    const PythonConfig& config, Type type, int index,
    std::function<void()> on_exit, const std::function<bool()>& stopping) {
  const std::string script =
      fmt::format("{}/{}", config.version_folder, ScriptName(config));
  if (!std::filesystem::exists(script)) {
    return absl::NotFoundError(fmt::format("there is no file {}", script));
  }
  PythonProcessConfig process;
  ASSIGN_OR_RETURN(process.interpreter,
                   FindInterpreter(config.interpreter, config.model_folder));
  process.name = fmt::format("{}_0_{}", config.model_name, index);
  if (!config.cores.empty()) {
    process.core =
        config.cores[static_cast<size_t>(index) % config.cores.size()];
  }
  StartedPython started;
  ASSIGN_OR_RETURN(started.process,
                   PythonProcess::Spawn(process, std::move(on_exit)));
  RETURN_IF_ERROR(started.process->Send(
      type, {StartPayload(config, process.name)}, InUs(kSendLimitUs)));
  ASSIGN_OR_RETURN(
      started.text,
      AwaitDone(*started.process, InUs(config.start_limit_us), stopping));
  return started;
}

}  // namespace

absl::StatusOr<std::string> CompletePythonConfig(const PythonConfig& config) {
  ASSIGN_OR_RETURN(
      StartedPython started,
      StartPython(config, Type::kComplete, 0, [] {}, [] { return false; }));
  return std::move(started.text);
}

struct PythonPool::Slot {
  enum class State { kStarting, kReady, kBusy, kBroken };
  bool NeedsKeeper() const {
    return state == State::kBroken || (!wanted && state == State::kReady);
  }
  bool IsUnwanted() const { return !wanted; }

  int index = 0;
  bool wanted = true;
  State state = State::kStarting;
  bool has_started = false;  // or failed to, once
  int num_failures = 0;      // in a row
  absl::Status last_failure;
  std::shared_ptr<PythonProcess> process;
  std::thread keeper;
};

PythonPool::PythonPool(const PythonConfig& config) : config_(config) {}

PythonPool::~PythonPool() { RemoveBeyond(0); }

absl::Status PythonPool::Resize(int num_processes) {
  absl::Status status;
  auto num_slots = static_cast<size_t>(num_processes);
  {
    const MutexLock lock(&mutex_);
    const size_t num_before = slots_.size();
    while (slots_.size() < num_slots) {
      slots_.push_back(std::make_unique<Slot>());
      Slot& slot = *slots_.back();
      slot.index = static_cast<int>(slots_.size()) - 1;
      slot.keeper = std::thread(&PythonPool::Keep, this, std::ref(slot));
    }
    mutex_.Await(this, &PythonPool::AllStarted);
    for (size_t i = num_before; i < slots_.size() && status.ok(); ++i) {
      status = slots_[i]->last_failure;
    }
    if (!status.ok()) num_slots = num_before;
  }
  RemoveBeyond(num_slots);
  return status;
}

void PythonPool::RemoveBeyond(size_t num_slots) {
  std::vector<std::thread> keepers;
  {
    const MutexLock lock(&mutex_);
    for (size_t i = num_slots; i < slots_.size(); ++i) {
      slots_[i]->wanted = false;
      keepers.push_back(std::move(slots_[i]->keeper));
    }
  }
  for (std::thread& keeper : keepers) keeper.join();
  const MutexLock lock(&mutex_);
  if (num_slots < slots_.size()) slots_.resize(num_slots);
}

bool PythonPool::AllStarted() const {
  return std::all_of(slots_.begin(), slots_.end(),
                     [](const auto& slot) { return slot->has_started; });
}

void PythonPool::Keep(Slot& slot) {
  do {
    StartIn(slot);
  } while (Clear(slot));
}

bool PythonPool::Clear(Slot& slot) {
  std::shared_ptr<PythonProcess> process;
  bool is_broken = false;
  {
    const MutexLock lock(&mutex_);
    mutex_.Await(&slot, &Slot::NeedsKeeper);
    is_broken = slot.state == Slot::State::kBroken;
    slot.state = Slot::State::kBroken;  // nobody's any more
    process = std::exchange(slot.process, nullptr);
  }
  if (!is_broken) Finalize(*process);
  // A call of another model may hold it a little longer than there is a pool.
  if (process != nullptr) process->Stop();
  process.reset();
  const MutexLock lock(&mutex_);
  const int doublings = std::min(slot.num_failures - 1, kMaxDoublings);
  mutex_.AwaitFor(&slot, &Slot::IsUnwanted,
                  std::min(PythonServable::kMaxBackoffUs,
                           config_.backoff_us << std::max(0, doublings)));
  slot.state = Slot::State::kStarting;
  return slot.wanted;
}

void PythonPool::StartIn(Slot& slot) {
  auto started = StartPython(
      config_, Type::kStart, slot.index, [this, &slot] { Exited(slot); },
      [this, &slot] {
        const MutexLock lock(&mutex_);
        return !slot.wanted;
      });
  const MutexLock lock(&mutex_);
  slot.has_started = true;
  if (!started.ok()) {
    Break(slot, started.status());
    return;
  }
  slot.process = std::move(started->process);
  slot.state = Slot::State::kReady;
  if (slot.process->exited()) {
    Break(slot, absl::UnavailableError(slot.process->HowItEnded()));
  }
}

void PythonPool::Finalize(PythonProcess& process) const {
  const int64_t deadline_us = InUs(config_.finalize_limit_us);
  absl::Status status = process.Send(Type::kFinalize, {}, deadline_us);
  if (status.ok()) {
    status = AwaitDone(process, deadline_us, [] { return false; }).status();
  }
  if (!status.ok()) {
    LogWarning("model {}: finalize: {}", config_.model_name, Message(status));
  }
}

// Of a process that is in nobody's hands; who has one in hand sees it himself.
void PythonPool::Exited(Slot& slot) {
  const MutexLock lock(&mutex_);
  if (slot.state == Slot::State::kReady && slot.process->exited()) {
    Break(slot, absl::UnavailableError(slot.process->HowItEnded()));
  }
}

void PythonPool::Break(Slot& slot, const absl::Status& why) {
  slot.state = Slot::State::kBroken;
  slot.last_failure = why;
  ++slot.num_failures;
  if (slot.wanted) {
    LogWarning("model {}, instance {}: {}; failures in a row: {}",
               config_.model_name, slot.index, Message(why), slot.num_failures);
  }
}

PythonPool::Slot* PythonPool::FindReady() const {
  for (const auto& slot : slots_) {
    if (slot->wanted && slot->state == Slot::State::kReady) return slot.get();
  }
  return nullptr;
}

bool PythonPool::IsHopeless() const {
  return std::all_of(slots_.begin(), slots_.end(), [&](const auto& slot) {
    return !slot->wanted || (slot->state != Slot::State::kReady &&
                             slot->state != Slot::State::kBusy &&
                             slot->num_failures >= config_.max_failures);
  });
}

absl::StatusOr<std::shared_ptr<PythonProcess>> PythonPool::Acquire(
    int64_t deadline_us) {
  constexpr int64_t kHourUs = 3'600'000'000;
  const MutexLock lock(&mutex_);
  const int64_t left_us = deadline_us - Clock::Real().NowUs();
  if (!mutex_.AwaitFor(this, &PythonPool::CanTell,
                       std::clamp<int64_t>(left_us, 0, kHourUs))) {
    return absl::DeadlineExceededError("no Python process became free in time");
  }
  Slot* ready = FindReady();
  if (ready == nullptr) {
    const Slot& failed = *slots_.front();
    return absl::UnavailableError(fmt::format("it failed {} times in a row: {}",
                                              failed.num_failures,
                                              Message(failed.last_failure)));
  }
  ready->state = Slot::State::kBusy;
  return ready->process;
}

void PythonPool::GiveBack(const std::shared_ptr<PythonProcess>& process,
                          const absl::Status& health) {
  const MutexLock lock(&mutex_);
  const auto found =
      std::find_if(slots_.begin(), slots_.end(),
                   [&](const auto& slot) { return slot->process == process; });
  Slot& slot = **found;
  if (!health.ok()) {
    Break(slot, health);
    return;
  }
  slot.num_failures = 0;
  slot.state = Slot::State::kReady;
  if (process->exited()) {
    Break(slot, absl::UnavailableError(process->HowItEnded()));
  }
}

}  // namespace quaver
