// What a caller asks of a call besides its tensors, and where its time went.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "quaver/base/status.h"

namespace quaver {

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

// Plain, cheap to copy; what it points to outlives the call.
struct CallOptions {
  int priority = 0;        // 1 goes first; 0 or too large: the default level
  int64_t timeout_us = 0;  // in the queue, where the policy allows it; 0: none
  int64_t deadline_us = kNever;  // of Clock::Real(); useless later
  // Set when nobody wants the answer any more.
  const std::atomic<bool>* cancelled = nullptr;
  // For models that ask: the request's id, and its parameters as a JSON object
  // or "".
  std::string_view request_id;
  std::string_view parameters;
  // That the answer has to have, for models that may save work; empty: all. An
  // answer may have others, too.
  std::span<const std::string> outputs;
  int depth = 0;  // how many models are waiting for each other above this call
};

// Cancelled or DeadlineExceeded when nobody can use the answer any more.
absl::Status CheckWanted(const CallOptions& options, int64_t now_us);

// Where the time of an item, or of a call with several, went.
struct CallTimes {
  int64_t queue_us = 0;
  int64_t compute_us = 0;  // of the batches it was in
  // Or from an identical call at the same time: nothing was computed for it.
  bool from_cache = false;
};

}  // namespace quaver
