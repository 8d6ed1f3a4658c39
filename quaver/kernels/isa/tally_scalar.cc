// The definition of the tally kernels: loops that can be checked by eye.
#include "quaver/kernels/isa/tables.h"

namespace quaver {
namespace {

void AddWeights(const uint32_t* const* bitmaps, const uint16_t* weights,
                size_t J, size_t N, uint16_t* scores) {
  for (size_t i = 0; i < N; ++i) {
    for (size_t j = 0; j < J; ++j) {
      const uint32_t bit = (bitmaps[j][i / kTallyBlock] >> (i % 32)) & 1;
      scores[i] = static_cast<uint16_t>(scores[i] + bit * weights[j]);
    }
  }
}

uint16_t Scale(const uint16_t* scores, const uint16_t* scales, size_t N,
               uint16_t* values) {
  uint16_t greatest = 0;
  for (size_t i = 0; i < N; ++i) {
    const uint32_t product = uint32_t{scores[i]} * scales[i];
    values[i] = static_cast<uint16_t>(product >> 16);
    if (values[i] > greatest) greatest = values[i];
  }
  return greatest;
}

size_t Select(const uint16_t* values, size_t N, uint16_t least,
              uint32_t* items) {
  size_t count = 0;
  for (size_t i = 0; i < N; ++i) {
    if (values[i] >= least) items[count++] = static_cast<uint32_t>(i);
  }
  return count;
}

}  // namespace

const TallyKernels kTallyScalar = {AddWeights, Scale, Select};

}  // namespace quaver
