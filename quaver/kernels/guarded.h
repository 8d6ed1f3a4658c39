// For tests: arrays that nothing may be read or written beyond.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <sys/mman.h>

#include "quaver/base/check.h"

namespace quaver {

// Values that end where a page without access begins: what reads or writes
// beyond them crashes, in every build. 64-aligned when the size is a multiple.
template <typename T>
class Guarded {
 public:
  explicit Guarded(size_t count) : bytes_(Rounded(count) + kPage) {
    void* map = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    QUAVER_CHECK(map != MAP_FAILED);
    map_ = static_cast<std::byte*>(map);
    std::byte* guard = map_ + Rounded(count);
    QUAVER_CHECK(mprotect(guard, kPage, PROT_NONE) == 0);
    data_ = reinterpret_cast<T*>(guard - count * sizeof(T));
  }
  explicit Guarded(const std::vector<T>& values) : Guarded(values.size()) {
    std::copy(values.begin(), values.end(), data_);
  }
  ~Guarded() { munmap(map_, bytes_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* get() const { return data_; }
  std::vector<T> ToVector(size_t count) const { return {data_, data_ + count}; }

 private:
  static constexpr size_t kPage = 4096;
  static size_t Rounded(size_t count) {
    return (count * sizeof(T) + kPage - 1) / kPage * kPage;
  }

  size_t bytes_;
  std::byte* map_;
  T* data_;
};

}  // namespace quaver
