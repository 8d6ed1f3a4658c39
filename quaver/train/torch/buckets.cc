// See buckets.h.
#include "quaver/train/torch/buckets.h"

#include <algorithm>
#include <utility>

#include "quaver/base/check.h"

namespace quaver {

Buckets::Buckets(int64_t size, int64_t bucket, int workers,
                 std::function<void(int64_t begin, int64_t end)> complete)
    : size_(size),
      bucket_(bucket),
      workers_(workers),
      complete_(std::move(complete)) {
  QUAVER_CHECK(size > 0 && bucket > 0 && workers > 0);
}

void Buckets::Begin() {
  const MutexLock lock(&mutex_);
  left_.clear();
  for (int64_t begin = 0; begin < size_; begin += bucket_) {
    left_.push_back(workers_ * std::min(bucket_, size_ - begin));
  }
}

void Buckets::Ready(int64_t begin, int64_t end) {
  const MutexLock lock(&mutex_);
  for (int64_t at = begin; at < end;) {
    const int64_t number = at / bucket_;
    const int64_t stop = std::min(end, (number + 1) * bucket_);
    left_[number] -= stop - at;
    QUAVER_CHECK(left_[number] >= 0);
    if (left_[number] == 0) {
      complete_(number * bucket_, std::min(size_, (number + 1) * bucket_));
    }
    at = stop;
  }
}

}  // namespace quaver
