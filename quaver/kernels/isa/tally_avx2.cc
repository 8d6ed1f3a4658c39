// The tally kernels for AVX2.
#include <immintrin.h>

#include "quaver/kernels/isa/tables.h"

namespace quaver {
namespace {

constexpr size_t kLanes = 16;

__m256i Load(const uint16_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

void Store(uint16_t* to, __m256i values) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), values);
}

// Lane i becomes `weight` where bit i is set, else 0.
__m256i Spread(uint16_t bits, __m256i weight) {
  const __m256i places =
      _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096,
                        8192, 16384, static_cast<int16_t>(0x8000));
  const __m256i chosen =
      _mm256_and_si256(_mm256_set1_epi16(static_cast<int16_t>(bits)), places);
  return _mm256_and_si256(_mm256_cmpeq_epi16(chosen, places), weight);
}

void AddWeights(const uint32_t* const* bitmaps, const uint16_t* weights,
                size_t J, size_t N, uint16_t* scores) {
  for (size_t i = 0; i < N; i += kTallyBlock) {
    __m256i low = Load(scores + i), high = Load(scores + i + kLanes);
    for (size_t j = 0; j < J; ++j) {
      const uint32_t bits = bitmaps[j][i / kTallyBlock];
      const __m256i weight =
          _mm256_set1_epi16(static_cast<int16_t>(weights[j]));
      low = _mm256_add_epi16(low, Spread(static_cast<uint16_t>(bits), weight));
      high = _mm256_add_epi16(
          high, Spread(static_cast<uint16_t>(bits >> 16), weight));
    }
    Store(scores + i, low);
    Store(scores + i + kLanes, high);
  }
}

uint16_t Scale(const uint16_t* scores, const uint16_t* scales, size_t N,
               uint16_t* values) {
  __m256i greatest = _mm256_setzero_si256();
  for (size_t i = 0; i < N; i += kLanes) {
    const __m256i value =
        _mm256_mulhi_epu16(Load(scores + i), Load(scales + i));
    greatest = _mm256_max_epu16(greatest, value);
    Store(values + i, value);
  }
  alignas(32) uint16_t lanes[kLanes];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), greatest);
  uint16_t most = 0;
  for (const uint16_t lane : lanes) most = lane > most ? lane : most;
  return most;
}

// One bit for each of 32 values that reach `least`: a byte of each comparison
// is kept, packed within halves and put back in order.
uint32_t Reach(const uint16_t* values, __m256i least) {
  const __m256i first = Load(values), second = Load(values + kLanes);
  const __m256i low = _mm256_cmpeq_epi16(_mm256_max_epu16(first, least), first);
  const __m256i high =
      _mm256_cmpeq_epi16(_mm256_max_epu16(second, least), second);
  const __m256i packed =
      _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xD8);
  return static_cast<uint32_t>(_mm256_movemask_epi8(packed));
}

size_t Select(const uint16_t* values, size_t N, uint16_t least,
              uint32_t* items) {
  const __m256i bound = _mm256_set1_epi16(static_cast<int16_t>(least));
  size_t count = 0;
  for (size_t i = 0; i < N; i += kTallyBlock) {
    for (uint32_t bits = Reach(values + i, bound); bits != 0;
         bits &= bits - 1) {
      items[count++] =
          static_cast<uint32_t>(i) + static_cast<uint32_t>(__builtin_ctz(bits));
    }
  }
  return count;
}

}  // namespace

const TallyKernels kTallyAvx2 = {AddWeights, Scale, Select};

}  // namespace quaver
