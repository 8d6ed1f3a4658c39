// See lifecycle.h.
#include "quaver/cli/lifecycle.h"

#include <pthread.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "quaver/base/log.h"

namespace quaver {

void AddStopOptions(CLI::App& command, StopOptions& options) {
  command
      .add_option("--drain-secs", options.drain_secs,
                  "After SIGTERM the server says it is not ready, and goes on "
                  "taking requests for so long")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command
      .add_option("--exit-timeout-secs", options.exit_timeout_secs,
                  "That requests in flight have to finish")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
}

Lifecycle::Lifecycle() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  start_watcher_ = std::thread(&Lifecycle::WatchStart, this);
}

Lifecycle::~Lifecycle() {
  phase_ = Phase::kStopping;
  start_watcher_.join();
}

void Lifecycle::WatchStart() {
  constexpr timespec kPeriod = {.tv_sec = 0, .tv_nsec = 20'000'000};
  while (phase_ == Phase::kStarting) {
    const int signal = sigtimedwait(&signals_, nullptr, &kPeriod);
    if (signal < 0) continue;
    Phase starting = Phase::kStarting;
    if (phase_.compare_exchange_strong(starting, Phase::kStopping)) {
      LogInfo("signal {} while starting: the end", signal);
      std::_Exit(0);
    }
    kill(getpid(), signal);  // AwaitStop's
  }
}

std::function<absl::Status()> Lifecycle::Ready(
    std::function<absl::Status()> ready) const {
  return [this, ready = std::move(ready)] {
    switch (phase_) {
      case Phase::kStarting:
        return absl::UnavailableError("the server is starting");
      case Phase::kStopping:
        return absl::UnavailableError("the server is stopping");
      case Phase::kStarted:
        break;
    }
    return ready ? ready() : absl::OkStatus();
  };
}

void Lifecycle::AwaitStop(const StopOptions& options) {
  int signal = 0;
  sigwait(&signals_, &signal);
  phase_ = Phase::kStopping;
  if (signal == SIGTERM && options.drain_secs > 0) {
    LogInfo("signal {}: not ready any more, requests are taken for {} s",
            signal, options.drain_secs);
    const double whole = std::floor(options.drain_secs);
    const timespec drain = {
        static_cast<time_t>(whole),
        static_cast<long>(1e9 * (options.drain_secs - whole))};
    sigtimedwait(&signals_, nullptr, &drain);
  }
  LogInfo("signal {}: finishing requests in flight", signal);
}

}  // namespace quaver
