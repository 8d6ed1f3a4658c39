// Gradients on their way to other processes while others are still computed.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "quaver/base/mutex.h"

namespace quaver {

// Cuts a flat gradient into buckets and says when each is complete in all
// workers. Thread-safe.
class Buckets {
 public:
  // `complete(begin, end)` is called once a step for every bucket, by the
  // worker that completes it, one at a time. Where all workers of all processes
  // tell of ranges in one order, so are buckets completed.
  Buckets(int64_t size, int64_t bucket, int workers,
          std::function<void(int64_t begin, int64_t end)> complete);

  void Begin();  // of a step
  // A worker's gradient of [begin, end) is complete. Every element has to be
  // told once by every worker.
  void Ready(int64_t begin, int64_t end);

 private:
  const int64_t size_, bucket_;
  const int workers_;
  const std::function<void(int64_t, int64_t)> complete_;
  Mutex mutex_;
  std::vector<int64_t> left_ ABSL_GUARDED_BY(mutex_);  // elements x workers
};

}  // namespace quaver
