// The scan kernels for AVX2 and FMA.
//
// A code's half bytes index 16-byte tables held in registers (vpshufb), 32
// items at a time, as in Andre, Kermarrec & Le Scouarnec, "Cache locality is
// not enough", VLDB 2015.
#include <immintrin.h>

#include "quaver/kernels/isa/tables.h"

namespace quaver {
namespace {

__m256i Load(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

__m256i LoadTable(const uint8_t* table) {  // the same in both halves
  return _mm256_broadcastsi128_si256(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
}

// 32 sums, in 16 bits: those of even items with the odd ones' carries on top,
// which Store takes off again, and those of odd items.
struct Sums {
  __m256i even = _mm256_setzero_si256();
  __m256i odd = _mm256_setzero_si256();

  void Add(__m256i bytes) {
    even = _mm256_add_epi16(even, bytes);
    odd = _mm256_add_epi16(odd, _mm256_srli_epi16(bytes, 8));
  }
  void Store(uint16_t* sums) const {
    const __m256i clean = _mm256_sub_epi16(even, _mm256_slli_epi16(odd, 8));
    const __m256i low = _mm256_unpacklo_epi16(clean, odd);
    const __m256i high = _mm256_unpackhi_epi16(clean, odd);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums),
                        _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + 16),
                        _mm256_permute2x128_si256(low, high, 0x31));
  }
};

__m256i LookUp(__m256i low_table, __m256i high_table, __m256i codes) {
  const __m256i mask = _mm256_set1_epi8(15);
  const __m256i low = _mm256_and_si256(codes, mask);
  const __m256i high = _mm256_and_si256(_mm256_srli_epi16(codes, 4), mask);
  return _mm256_add_epi8(_mm256_shuffle_epi8(low_table, low),
                         _mm256_shuffle_epi8(high_table, high));
}

void ScanBlock(const uint8_t* tables, const uint8_t* codes, size_t num_bytes,
               uint16_t* sums) {
  Sums total;
  for (size_t b = 0; b < num_bytes; ++b) {
    const __m256i low = LoadTable(tables + b * 32);
    const __m256i high = LoadTable(tables + b * 32 + 16);
    total.Add(LookUp(low, high, Load(codes + b * kScanBlock)));
  }
  total.Store(sums);
}

void Prefetch(const uint8_t* codes) {
  _mm_prefetch(reinterpret_cast<const char*>(codes + kPrefetchBytes),
               _MM_HINT_T0);
}

// Two blocks share the loads of the tables. Their sums are named, not an array
// that the compiler would keep in memory.
void ScanTwoBlocks(const uint8_t* tables, const uint8_t* codes,
                   size_t num_bytes, uint16_t* sums) {
  const uint8_t* next = codes + num_bytes * kScanBlock;
  Sums first, second;
  for (size_t b = 0; b < num_bytes; ++b) {
    const __m256i low = LoadTable(tables + b * 32);
    const __m256i high = LoadTable(tables + b * 32 + 16);
    Prefetch(codes + b * kScanBlock);
    Prefetch(next + b * kScanBlock);
    first.Add(LookUp(low, high, Load(codes + b * kScanBlock)));
    second.Add(LookUp(low, high, Load(next + b * kScanBlock)));
  }
  first.Store(sums);
  second.Store(sums + kScanBlock);
}

void ScanCodes(const uint8_t* tables, const uint8_t* codes, size_t num_bytes,
               size_t num_blocks, uint16_t* sums) {
  const size_t bytes = num_bytes * kScanBlock;  // of a block
  size_t block = 0;
  for (; block + 2 <= num_blocks; block += 2) {
    ScanTwoBlocks(tables, codes + block * bytes, num_bytes,
                  sums + block * kScanBlock);
  }
  if (block < num_blocks) {
    ScanBlock(tables, codes + block * bytes, num_bytes,
              sums + block * kScanBlock);
  }
}

void Estimate(const uint16_t* sums, const float* factors, size_t num_blocks,
              const EstimateLine& line, float* estimates, uint32_t* above) {
  const __m256 step = _mm256_set1_ps(line.step);
  const __m256 offset = _mm256_set1_ps(line.offset);
  const __m256 base = _mm256_set1_ps(line.base);
  const __m256 threshold = _mm256_set1_ps(line.threshold);
  constexpr size_t kLanes = 8;
  for (size_t block = 0; block < num_blocks; ++block) {
    above[block] = 0;
    for (size_t i = 0; i < kScanBlock; i += kLanes) {
      const size_t at = block * kScanBlock + i;
      const __m256 sum = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(sums + at))));
      const __m256 product = _mm256_add_ps(_mm256_mul_ps(step, sum), offset);
      const __m256 estimate = _mm256_add_ps(
          base, _mm256_mul_ps(_mm256_loadu_ps(factors + at), product));
      _mm256_storeu_ps(estimates + at, estimate);
      const auto bits = static_cast<uint32_t>(
          _mm256_movemask_ps(_mm256_cmp_ps(estimate, threshold, _CMP_GT_OQ)));
      above[block] |= bits << i;
    }
  }
}

int32_t DotI16I8(const int16_t* a, const int8_t* b, size_t D) {
  __m256i sums = _mm256_setzero_si256();
  size_t i = 0;
  for (; i + 16 <= D; i += 16) {
    const __m256i wide = _mm256_cvtepi8_epi16(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(b + i)));
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(Load(a + i), wide));
  }
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sums),
                               _mm256_extracti128_si256(sums, 1));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4E));
  half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xB1));
  int32_t sum = _mm_cvtsi128_si32(half);
  for (; i < D; ++i) sum += a[i] * b[i];
  return sum;
}

__m256 FusedAdd(const float* a, const float* b, __m256 sum) {
  return _mm256_fmadd_ps(_mm256_loadu_ps(a), _mm256_loadu_ps(b), sum);
}

float DotF32(const float* a, const float* b, size_t D) {
  __m256 first = _mm256_setzero_ps(), second = first, third = first,
         fourth = first;
  size_t i = 0;
  for (; i + 32 <= D; i += 32) {
    first = FusedAdd(a + i, b + i, first);
    second = FusedAdd(a + i + 8, b + i + 8, second);
    third = FusedAdd(a + i + 16, b + i + 16, third);
    fourth = FusedAdd(a + i + 24, b + i + 24, fourth);
  }
  for (; i + 8 <= D; i += 8) first = FusedAdd(a + i, b + i, first);
  const __m256 all =
      _mm256_add_ps(_mm256_add_ps(first, second), _mm256_add_ps(third, fourth));
  __m128 half =
      _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
  half = _mm_add_ps(half, _mm_movehl_ps(half, half));
  half = _mm_add_ss(half, _mm_movehdup_ps(half));
  float sum = _mm_cvtss_f32(half);
  for (; i < D; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

const ScanKernels kScanAvx2 = {ScanCodes, Estimate, DotI16I8, DotF32};

}  // namespace quaver
