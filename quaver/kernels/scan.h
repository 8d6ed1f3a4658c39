// Kernels of vector search: code scans, exact dot products.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quaver {

// D is the dimension. All pointers may be unaligned; outputs never overlap
// inputs. Owned by nobody, thread-safe, allocate nothing.
struct ScanKernels {
  // Dot products of a query with 1-bit codes: the query as four bit planes
  // (plane b holds bit b of each 4-bit quantised value), each num_words u64.
  // out[i] = sum over b of 2^b * popcount(plane_b & codes[i]).
  void (*scan_bits)(const uint64_t* planes,  // [4, num_words]
                    const uint64_t* codes,   // [num_items, num_words]
                    size_t num_words, size_t num_items,
                    uint32_t* out);  // [num_items]
  // Exact int32 sums of int8 products.
  int32_t (*dot_i8)(const int8_t* a, const int8_t* b, size_t D);
  // fp32 dot product, one fixed order of summation per table.
  float (*dot_f32)(const float* a, const float* b, size_t D);
};

}  // namespace quaver
