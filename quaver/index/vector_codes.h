// How vectors become codes, and queries what is compared with codes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quaver {

// Bytes of a 1-bit code.
constexpr size_t CodeBytes(size_t D) { return (D + 7) / 8; }

// Writes the signs of a residual r, bit i of the code set where r[i] >= 0, and
// returns the factor f = |r|^2 / sum |r[i]|, at most |r|. With s = +-1 for the
// bits, f * <q, s> is an estimate of <q, r> that is unbiased over rotations,
// with a standard deviation of about 0.75 |q| |r| / sqrt(D) (Gao & Long,
// "RaBitQ", SIGMOD 2024, theorem 3.2).
float EncodeSigns(std::span<const float> residual,  // [D]
                  uint8_t* code);                   // [CodeBytes(D)]

// The products of a query with every value of every half byte of a code, as
// ScanKernels::scan_codes sums them: <q, s> = step * sum + offset. Rounding
// to 7 bits adds less than 0.1 % to the variance of the estimate.
struct QueryTables {
  std::vector<uint8_t> entries;  // [2 * CodeBytes(D), 16]
  float step = 0;
  float offset = 0;
};
QueryTables BuildTables(std::span<const float> query);  // [D]

// 1 / |v|; 0 when v is zero, not finite or not within 10^+-15 of unit length.
float InverseLength(std::span<const float> vector);

// Rounds to multiples of the returned scale, which takes the largest magnitude
// to the type's limit; 0 for a zero vector.
float QuantizeI8(std::span<const float> vector, int8_t* values);    // [D]
float QuantizeI16(std::span<const float> vector, int16_t* values);  // to 2047

}  // namespace quaver
