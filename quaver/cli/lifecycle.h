// When others may ask the server: from its last port's opening to the signal
// that ends it.
#pragma once

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>

#include <CLI/CLI.hpp>

#include "quaver/base/status.h"

namespace quaver {

struct StopOptions {
  // Between SIGTERM, when readiness drops, and the refusal of new requests:
  // as long as a load balancer takes to look elsewhere.
  double drain_secs = 2;
  // For the requests in flight, after that; 2 s later the process ends, whatever
  // still runs.
  int exit_timeout_secs = 30;
};

void AddStopOptions(CLI::App& command, StopOptions& options);

// Blocks SIGINT and SIGTERM in all threads made after construction. A signal
// that comes before Started ends the process at once with status 0: nobody
// counts on it yet, and a model may take minutes to load. One a process.
class Lifecycle {
 public:
  Lifecycle();
  ~Lifecycle();

  // Unavailable before Started and once a signal came, else what `ready` says;
  // null: OK. Outlived by this.
  std::function<absl::Status()> Ready(
      std::function<absl::Status()> ready = nullptr) const;

  // Every port answers.
  void Started() { phase_ = Phase::kStarted; }

  // Blocks until new requests are to be refused: after SIGINT at once, after
  // SIGTERM when the drain time is over or another signal comes.
  void AwaitStop(const StopOptions& options);

 private:
  enum class Phase { kStarting, kStarted, kStopping };
  void WatchStart();

  sigset_t signals_;
  std::atomic<Phase> phase_ = Phase::kStarting;
  std::thread start_watcher_;
};

}  // namespace quaver
