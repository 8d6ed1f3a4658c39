// Hashes: XXH3 for checksums and ids; a counter-based random generator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace quaver {

// XXH3-64 of the bytes; stable for ever (it names files and ids on disk).
uint64_t Hash64(std::span<const std::byte> bytes, uint64_t seed = 0);
uint64_t Hash64(std::string_view text, uint64_t seed = 0);

// 16 lower-case hexadecimal digits.
std::string Hex64(uint64_t value);

// The splitmix64 finaliser: a bijection that mixes all bits. Random number i
// of stream s is Mix64(s + i * 0x9E3779B97F4A7C15).
constexpr uint64_t Mix64(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ull;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBull;
  return value ^ (value >> 31);
}

// A counter-based generator: the same (seed, stream) always yields the same
// numbers, whoever asks and in whatever order streams are used. Not
// thread-safe; copies are independent.
class Random {
 public:
  explicit Random(uint64_t seed, uint64_t stream = 0)
      : state_(Mix64(seed ^ Mix64(stream + 0x632BE59BD9B4E019ull))) {}

  uint64_t Next() { return Mix64(state_ += 0x9E3779B97F4A7C15ull); }
  // Uniform in [0, bound). REQUIRES: bound > 0. Bias below bound / 2^64.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>(
        (static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }
  // Uniform in [0, 1), 53 bits.
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  bool Chance(double probability) { return Uniform() < probability; }
  // Standard normal (Box-Muller).
  double Normal();

 private:
  uint64_t state_;
};

}  // namespace quaver
