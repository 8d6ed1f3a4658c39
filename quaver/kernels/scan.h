// Kernels of vector search: code scans, exact dot products.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quaver {

// Codes of this many items lie interleaved, byte by byte.
inline constexpr size_t kScanBlock = 32;
// Table entries are at most this: two of them fit a byte.
inline constexpr uint8_t kMaxTableEntry = 127;
// Bytes of a code at most: then no sum exceeds 16 bits.
inline constexpr size_t kMaxCodeBytes = 65535 / (2 * kMaxTableEntry);

// How a block's sums become estimates; see ScanKernels::estimate.
struct EstimateLine {
  float step = 0;
  float offset = 0;
  float base = 0;
  float threshold = 0;
};

// D is the dimension. All pointers may be unaligned; outputs never overlap
// inputs. Owned by nobody, thread-safe, allocate nothing.
struct ScanKernels {
  // Sums of table look-ups, one for each half byte of a code, which is how
  // products of a query with 1-bit codes are found:
  // sums[i] = sum over b of tables[2 b][code_i[b] & 15] +
  //                         tables[2 b + 1][code_i[b] >> 4].
  // Exact. REQUIRES: entries <= kMaxTableEntry, num_bytes <= kMaxCodeBytes.
  void (*scan_codes)(const uint8_t* tables,  // [2 * num_bytes, 16]
                     const uint8_t* codes,   // [num_blocks, num_bytes, 32]
                     size_t num_bytes, size_t num_blocks,
                     uint16_t* sums);  // [num_blocks, 32]
  // estimates[i] = base + factors[i] * (step * sums[i] + offset), each
  // operation rounded: the same on every table. Bit i of above[b] tells whether
  // estimate i of block b is above the threshold.
  void (*estimate)(const uint16_t* sums,  // [num_blocks, 32]
                   const float* factors,  // [num_blocks, 32]
                   size_t num_blocks, const EstimateLine& line,
                   float* estimates,  // [num_blocks, 32]
                   uint32_t* above);  // [num_blocks]
  // Exact int32 sums of products. REQUIRES: |a[i]| <= 2047, D <= 8192.
  int32_t (*dot_i16_i8)(const int16_t* a, const int8_t* b, size_t D);
  // fp32 dot product, one fixed order of summation per table.
  float (*dot_f32)(const float* a, const float* b, size_t D);
};

}  // namespace quaver
