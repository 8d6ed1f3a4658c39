// The tally kernels for AVX-512 F and BW: a word of a bitmap is a mask.
#include <immintrin.h>

#include "quaver/kernels/isa/tables.h"

namespace quaver {
namespace {

void AddWeights(const uint32_t* const* bitmaps, const uint16_t* weights,
                size_t J, size_t N, uint16_t* scores) {
  for (size_t i = 0; i < N; i += kTallyBlock) {
    __m512i sum = _mm512_loadu_si512(scores + i);
    for (size_t j = 0; j < J; ++j) {
      const __m512i weight =
          _mm512_set1_epi16(static_cast<int16_t>(weights[j]));
      sum =
          _mm512_mask_add_epi16(sum, bitmaps[j][i / kTallyBlock], sum, weight);
    }
    _mm512_storeu_si512(scores + i, sum);
  }
}

uint16_t Scale(const uint16_t* scores, const uint16_t* scales, size_t N,
               uint16_t* values) {
  __m512i greatest = _mm512_setzero_si512();
  for (size_t i = 0; i < N; i += kTallyBlock) {
    const __m512i value = _mm512_mulhi_epu16(_mm512_loadu_si512(scores + i),
                                             _mm512_loadu_si512(scales + i));
    greatest = _mm512_max_epu16(greatest, value);
    _mm512_storeu_si512(values + i, value);
  }
  alignas(64) uint16_t lanes[kTallyBlock];
  _mm512_store_si512(lanes, greatest);
  uint16_t most = 0;
  for (const uint16_t lane : lanes) most = lane > most ? lane : most;
  return most;
}

size_t Select(const uint16_t* values, size_t N, uint16_t least,
              uint32_t* items) {
  const __m512i bound = _mm512_set1_epi16(static_cast<int16_t>(least));
  size_t count = 0;
  for (size_t i = 0; i < N; i += kTallyBlock) {
    for (uint32_t bits =
             _mm512_cmpge_epu16_mask(_mm512_loadu_si512(values + i), bound);
         bits != 0; bits &= bits - 1) {
      items[count++] =
          static_cast<uint32_t>(i) + static_cast<uint32_t>(__builtin_ctz(bits));
    }
  }
  return count;
}

}  // namespace

const TallyKernels kTallyAvx512 = {AddWeights, Scale, Select};

}  // namespace quaver
