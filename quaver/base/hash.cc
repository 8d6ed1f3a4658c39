// See hash.h.
#include "quaver/base/hash.h"

#include <xxhash.h>

#include <cmath>
#include <numbers>

#include <fmt/format.h>

namespace quaver {

uint64_t Hash64(std::span<const std::byte> bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t Hash64(std::string_view text, uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

std::string Hex64(uint64_t value) { return fmt::format("{:016x}", value); }

double Random::Normal() {
  const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
  return radius * std::cos(2 * std::numbers::pi * Uniform());
}

}  // namespace quaver
