// The definition of the scan kernels: loops that can be checked by eye.
#include "quaver/kernels/isa/tables.h"

namespace quaver {
namespace {

void ScanCodes(const uint8_t* tables, const uint8_t* codes, size_t num_bytes,
               size_t num_blocks, uint16_t* sums) {
  for (size_t block = 0; block < num_blocks; ++block, sums += kScanBlock) {
    for (size_t i = 0; i < kScanBlock; ++i) sums[i] = 0;
    const uint8_t* table = tables;  // [2, 16] of each byte
    for (size_t b = 0; b < num_bytes; ++b, table += 32, codes += kScanBlock) {
      for (size_t i = 0; i < kScanBlock; ++i) {
        const int pair = table[codes[i] & 15] + table[16 + (codes[i] >> 4)];
        sums[i] = static_cast<uint16_t>(sums[i] + pair);
      }
    }
  }
}

void Estimate(const uint16_t* sums, const float* factors, size_t num_blocks,
              const EstimateLine& line, float* estimates, uint32_t* above) {
  for (size_t block = 0; block < num_blocks; ++block) {
    above[block] = 0;
    for (size_t i = 0; i < kScanBlock; ++i) {
      const size_t at = block * kScanBlock + i;
      const float product =
          line.step * static_cast<float>(sums[at]) + line.offset;
      estimates[at] = line.base + factors[at] * product;
      if (estimates[at] > line.threshold) above[block] |= uint32_t{1} << i;
    }
  }
}

int32_t DotI16I8(const int16_t* a, const int8_t* b, size_t D) {
  int32_t sum = 0;
  for (size_t i = 0; i < D; ++i) sum += a[i] * b[i];
  return sum;
}

float DotF32(const float* a, const float* b, size_t D) {
  float sum = 0;
  for (size_t i = 0; i < D; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

const ScanKernels kScanScalar = {ScanCodes, Estimate, DotI16I8, DotF32};

}  // namespace quaver
