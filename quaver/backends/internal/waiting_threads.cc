// See waiting_threads.h.
#include "quaver/backends/internal/waiting_threads.h"

#include <deque>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "quaver/base/mutex.h"

namespace quaver {

// Shared with the threads, one of which may outlive the object.
struct WaitingThreads::State {
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return stopping || !work.empty();
  }

  Mutex mutex;
  std::deque<std::function<void()>> work ABSL_GUARDED_BY(mutex);
  size_t num_idle ABSL_GUARDED_BY(mutex) = 0;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  std::vector<std::thread> threads ABSL_GUARDED_BY(mutex);
};

WaitingThreads::WaitingThreads() : state_(std::make_shared<State>()) {}

WaitingThreads::~WaitingThreads() {
  std::vector<std::thread> threads;
  {
    const MutexLock lock(&state_->mutex);
    state_->stopping = true;
    threads.swap(state_->threads);
  }
  for (std::thread& thread : threads) {
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

absl::Status WaitingThreads::Run(std::function<void()> work) {
  const MutexLock lock(&state_->mutex);
  state_->work.push_back(std::move(work));
  if (state_->work.size() <= state_->num_idle) return absl::OkStatus();
  try {
    state_->threads.emplace_back(&WaitingThreads::Work, state_);
  } catch (const std::system_error& error) {
    state_->work.pop_back();
    return absl::ResourceExhaustedError(
        fmt::format("no thread could be made: {}", error.what()));
  }
  return absl::OkStatus();
}

void WaitingThreads::Work(const std::shared_ptr<State>& state) {
  while (true) {
    std::function<void()> work;
    {
      const MutexLock lock(&state->mutex);
      ++state->num_idle;
      state->mutex.Await(state.get(), &State::HasWork);
      --state->num_idle;
      if (state->work.empty()) return;
      work = std::move(state->work.front());
      state->work.pop_front();
    }
    work();
  }
}

}  // namespace quaver
