// See call.h.
#include "quaver/sched/call.h"

namespace quaver {

absl::Status CheckWanted(const CallOptions& options, int64_t now_us) {
  if (options.cancelled != nullptr && options.cancelled->load()) {
    return absl::CancelledError("the request was cancelled");
  }
  if (now_us >= options.deadline_us) {
    return absl::DeadlineExceededError("Request timeout expired");
  }
  return absl::OkStatus();
}

}  // namespace quaver
