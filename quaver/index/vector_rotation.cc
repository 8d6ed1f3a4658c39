// See vector_rotation.h.
#include "quaver/index/vector_rotation.h"

#include <bit>
#include <cmath>

#include "quaver/base/check.h"
#include "quaver/base/hash.h"

namespace quaver {
namespace {

constexpr size_t kRounds = 4;

// Multiplies by the orthogonal Hadamard matrix, which is its own inverse.
void Hadamard(std::span<float> values) {
  const size_t P = values.size();
  for (size_t half = 1; half < P; half *= 2) {
    for (size_t begin = 0; begin < P; begin += 2 * half) {
      for (size_t i = begin; i < begin + half; ++i) {
        const float a = values[i], b = values[i + half];
        values[i] = a + b;
        values[i + half] = a - b;
      }
    }
  }
  const float scale = 1.0f / std::sqrt(static_cast<float>(P));
  for (float& value : values) value *= scale;
}

}  // namespace

Rotation::Rotation(size_t D, uint64_t seed)
    : D_(D), P_(std::bit_floor(D)), signs_(kRounds * D) {
  Random random(seed);
  for (float& sign : signs_) sign = (random.Next() & 1) != 0 ? 1.0f : -1.0f;
}

void Rotation::Apply(std::span<float> vector) const {
  QUAVER_CHECK(vector.size() == D_);
  for (size_t round = 0; round < kRounds; ++round) {
    const float* signs = signs_.data() + round * D_;
    for (size_t i = 0; i < D_; ++i) vector[i] *= signs[i];
    Hadamard(round % 2 == 0 ? vector.first(P_) : vector.last(P_));
  }
}

void Rotation::Invert(std::span<float> vector) const {
  QUAVER_CHECK(vector.size() == D_);
  for (size_t round = kRounds; round-- > 0;) {
    Hadamard(round % 2 == 0 ? vector.first(P_) : vector.last(P_));
    const float* signs = signs_.data() + round * D_;
    for (size_t i = 0; i < D_; ++i) vector[i] *= signs[i];
  }
}

}  // namespace quaver
