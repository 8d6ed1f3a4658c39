// Kernels that score many items by what they have: add and select.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quaver {

// Items per word of a bitmap.
inline constexpr size_t kTallyBlock = 32;

// N items, a multiple of kTallyBlock; arrays may be unaligned and do not
// overlap. Owned by nobody, thread-safe, allocate nothing. Exact: the same on
// every table.
struct TallyKernels {
  // scores[i] += the sum of weights[j] over the bitmaps j that have bit i,
  // modulo 2^16. One pass over `scores` for all bitmaps.
  void (*add_weights)(const uint32_t* const* bitmaps,  // [J] of [N / 32]
                      const uint16_t* weights,         // [J]
                      size_t J, size_t N,
                      uint16_t* scores);  // [N]
  // values[i] = scores[i] * scales[i] / 2^16, rounded down; returns the
  // greatest.
  uint16_t (*scale)(const uint16_t* scores, const uint16_t* scales, size_t N,
                    uint16_t* values);  // [N]
  // Writes, rising, each i with values[i] >= least to `items`; returns their
  // number. REQUIRES: least > 0.
  size_t (*select)(const uint16_t* values, size_t N, uint16_t least,
                   uint32_t* items);  // room for N
};

}  // namespace quaver
