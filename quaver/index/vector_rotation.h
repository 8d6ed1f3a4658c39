// A random rotation that costs D log D and is stored as its seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quaver {

// An orthogonal map of R^D: four rounds of random signs and a Hadamard
// transform, by turns of the first and the last P coordinates, P being the
// largest power of two up to D. It spreads a vector's length over all
// coordinates, which is what 1-bit codes and int8 need. The same on every
// machine to the last bit. Immutable, thread-safe.
class Rotation {
 public:
  Rotation(size_t D, uint64_t seed);

  size_t dimension() const { return D_; }
  void Apply(std::span<float> vector) const;   // [D], in place
  void Invert(std::span<float> vector) const;  // [D], in place

 private:
  size_t D_;
  size_t P_;
  std::vector<float> signs_;  // [4, D], each +1 or -1
};

}  // namespace quaver
