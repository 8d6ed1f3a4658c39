// Products of bytes by AVX-512 VNNI.
//
// Unnamed, so each includer compiles its own.
#pragma once

#include "quaver/kernels/isa/bytes_avx512.h"

namespace quaver {
namespace {

struct Bytes : BytesAvx512 {
  using Codes = __m512i;
  using Weights = __m512i;

  static Codes Broadcast(const uint8_t* codes) { return Four(codes); }
  static Weights LoadWeights(const int8_t* from) { return Load(from); }
  static Sums Add(Sums sums, Codes codes, Weights weights) {
    return _mm512_dpbusd_epi32(sums, codes, weights);
  }
};

// 14 rows of two sums, two weights and one code fill 31 of 32 registers.
constexpr size_t kTileRows = 14;

}  // namespace
}  // namespace quaver
