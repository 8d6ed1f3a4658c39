// See vector_codes.h.
#include "quaver/index/vector_codes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "quaver/kernels/scan.h"

namespace quaver {
namespace {

template <typename T>
float Quantize(std::span<const float> vector, float limit, T* values) {
  float largest = 0;
  for (const float value : vector)
    largest = std::max(largest, std::fabs(value));
  const float inverse = largest > 0 ? limit / largest : 0;
  for (size_t i = 0; i < vector.size(); ++i) {
    values[i] = static_cast<T>(std::lrintf(vector[i] * inverse));
  }
  return largest / limit;
}

// <q, s> for the 16 values of four bits.
std::array<float, 16> Products(const std::array<float, 4>& query) {
  std::array<float, 16> products;
  products[0] = -(query[0] + query[1] + query[2] + query[3]);
  for (size_t bit = 0; bit < 4; ++bit) {
    const size_t set = size_t{1} << bit;
    for (size_t i = 0; i < set; ++i) {
      products[set + i] = products[i] + 2 * query[bit];
    }
  }
  return products;
}

}  // namespace

float EncodeSigns(std::span<const float> residual, uint8_t* code) {
  std::fill_n(code, CodeBytes(residual.size()), uint8_t{0});
  double squares = 0, magnitudes = 0;
  for (size_t i = 0; i < residual.size(); ++i) {
    const float value = residual[i];
    squares += double{value} * value;
    magnitudes += std::fabs(value);
    if (value >= 0) code[i / 8] |= static_cast<uint8_t>(1u << (i % 8));
  }
  return magnitudes > 0 ? static_cast<float>(squares / magnitudes) : 0;
}

QueryTables BuildTables(std::span<const float> query) {
  const size_t D = query.size(), num_tables = 2 * CodeBytes(D);
  std::vector<std::array<float, 4>> parts(num_tables);  // beyond D: zeros
  for (size_t i = 0; i < D; ++i) parts[i / 4][i % 4] = query[i];

  QueryTables tables;
  tables.entries.resize(num_tables * 16);
  std::vector<float> bounds(num_tables);  // products lie in [-bound, bound]
  for (size_t t = 0; t < num_tables; ++t) {
    for (const float value : parts[t]) bounds[t] += std::fabs(value);
    tables.offset -= bounds[t];
  }
  const float widest = *std::max_element(bounds.begin(), bounds.end());
  tables.step = 2 * widest / kMaxTableEntry;
  const float inverse = widest > 0 ? 1 / tables.step : 0;
  for (size_t t = 0; t < num_tables; ++t) {
    const auto products = Products(parts[t]);
    for (size_t i = 0; i < 16; ++i) {
      // Never negative but for rounding; truncation after + 0.5 rounds.
      const float entry =
          std::max(0.0f, (products[i] + bounds[t]) * inverse) + 0.5f;
      tables.entries[t * 16 + i] = static_cast<uint8_t>(
          std::min<int>(static_cast<int>(entry), kMaxTableEntry));
    }
  }
  return tables;
}

float InverseLength(std::span<const float> vector) {
  double squares = 0;
  for (const float value : vector) squares += double{value} * value;
  const bool sane = 1e-30 < squares && squares < 1e30;  // false for NaN
  return sane ? static_cast<float>(1 / std::sqrt(squares)) : 0;
}

float QuantizeI8(std::span<const float> vector, int8_t* values) {
  return Quantize(vector, 127, values);
}

float QuantizeI16(std::span<const float> vector, int16_t* values) {
  return Quantize(vector, 2047, values);
}

}  // namespace quaver
