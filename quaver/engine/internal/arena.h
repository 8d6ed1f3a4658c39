// One block of floats from which a model or a workspace takes its pieces.
#pragma once

#include <cstddef>
#include <memory>

namespace quaver {

// Pieces start at multiples of 64 bytes and live as long as the arena. One of
// a huge page or more asks for huge pages (MADV_HUGEPAGE), which spare a packed
// model the page walks; where the system refuses, small ones do.
class FloatArena {
 public:
  explicit FloatArena(size_t floats);
  FloatArena(FloatArena&&) = default;
  FloatArena& operator=(FloatArena&&) = default;

  // What Take(floats) uses up.
  static size_t Rounded(size_t floats);
  // That an arena of so many floats takes from the system: whole pieces, or
  // whole huge pages.
  static size_t Bytes(size_t floats);
  size_t bytes() const { return Bytes(size_); }
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
