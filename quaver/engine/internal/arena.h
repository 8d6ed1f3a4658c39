// One block of floats from which a model or a workspace takes its pieces.
#pragma once

#include <cstddef>
#include <memory>

namespace quaver {

// Pieces start at multiples of 64 bytes and live as long as the arena. Large
// arenas ask for huge pages, which spare a packed model the page walks.
class FloatArena {
 public:
  explicit FloatArena(size_t floats);
  FloatArena(FloatArena&&) = default;
  FloatArena& operator=(FloatArena&&) = default;

  // What Take(floats) uses up.
  static size_t Rounded(size_t floats);
  // REQUIRES: the rounded sum of what was taken fits. Not zeroed.
  float* Take(size_t floats);

 private:
  struct Free {
    void operator()(float* memory) const;
  };
  std::unique_ptr<float[], Free> memory_;
  size_t size_;
  size_t used_ = 0;
};

}  // namespace quaver
