// The tally kernels for AVX-512 F and BW: a word of a bitmap is a mask.
#include <immintrin.h>

#include "quaver/kernels/isa/tables.h"

namespace quaver {
namespace {

// Blocks that are added to together: a weight is spread once for all, and of
// each bitmap a cache line is read at a time. The bitmaps are more streams than
// the processor foresees.
constexpr size_t kBlocks = 16;
constexpr size_t kWordsAhead = 32;

template <size_t kCount>
void AddToBlocks(const uint32_t* const* bitmaps, const uint16_t* weights,
                 size_t J, size_t block, uint16_t* scores) {
  uint16_t* first = scores + block * kTallyBlock;
  __m512i sums[kCount];
  for (size_t b = 0; b < kCount; ++b) {
    sums[b] = _mm512_loadu_si512(first + b * kTallyBlock);
  }
  for (size_t j = 0; j < J; ++j) {
    const __m512i weight = _mm512_set1_epi16(static_cast<int16_t>(weights[j]));
    const uint32_t* bits = bitmaps[j] + block;
    _mm_prefetch(reinterpret_cast<const char*>(bits + kWordsAhead),
                 _MM_HINT_T0);
    for (size_t b = 0; b < kCount; ++b) {
      sums[b] = _mm512_mask_add_epi16(sums[b], bits[b], sums[b], weight);
    }
  }
  for (size_t b = 0; b < kCount; ++b) {
    _mm512_storeu_si512(first + b * kTallyBlock, sums[b]);
  }
}

void AddWeights(const uint32_t* const* bitmaps, const uint16_t* weights,
                size_t J, size_t N, uint16_t* scores) {
  const size_t num_blocks = N / kTallyBlock;
  size_t block = 0;
  for (; block + kBlocks <= num_blocks; block += kBlocks) {
    AddToBlocks<kBlocks>(bitmaps, weights, J, block, scores);
  }
  for (; block < num_blocks; ++block) {
    AddToBlocks<1>(bitmaps, weights, J, block, scores);
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
