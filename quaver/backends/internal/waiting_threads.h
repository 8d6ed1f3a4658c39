// Threads for work that mostly waits: as many as there is such work at once.
#pragma once

#include <functional>
#include <memory>

#include "quaver/base/status.h"

namespace quaver {

// Thread-safe. A thread that is done is kept for the next work.
class WaitingThreads {
 public:
  WaitingThreads();
  // Returns when all work is done. Work may itself be what destroys this: then
  // when all other work is done.
  ~WaitingThreads();

  // Runs `work` in a thread of its own. ResourceExhausted when the system
  // gives no more threads. `work` must not throw.
  absl::Status Run(std::function<void()> work);

 private:
  struct State;
  static void Work(const std::shared_ptr<State>& state);
  const std::shared_ptr<State> state_;
};

}  // namespace quaver
