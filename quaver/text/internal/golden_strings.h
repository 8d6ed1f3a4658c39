// The strings that golden files of tokenizers are about, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "quaver/base/hash.h"
#include "quaver/base/status.h"

namespace quaver {

// Makes the strings of tools/golden_wordpiece.py.
class GoldenStrings {
 public:
  explicit GoldenStrings(const nlohmann::json& golden)
      : seed_(golden["seed"]), limits_(golden["limits"]) {
    for (const std::string hex : golden["fragments"]) {
      std::string bytes;
      for (size_t i = 0; i < hex.size(); i += 2) {
        bytes.push_back(
            static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
      }
      fragments_.push_back(bytes);
    }
  }

  std::pair<std::string, int> Make(uint64_t index) const {
    Random random(seed_, index);
    std::string text;
    for (uint64_t left = random.Below(14); left > 0; --left) {
      text += Piece(&random);
    }
    return {text, limits_[random.Below(limits_.size())]};
  }

 private:
  const std::string& Fragment(Random* random) const {
    return fragments_[random->Below(fragments_.size())];
  }

  std::string Piece(Random* random) const {
    const uint64_t kind = random->Below(10);
    if (kind < 6) return Fragment(random);
    if (kind < 8) return " ";
    if (kind == 8) return EncodeAny(random->Below(0x20000));
    if (random->Below(4) > 0) {
      return std::string(1, static_cast<char>(random->Below(256)));
    }
    const std::string& fragment = Fragment(random);
    std::string repeated;
    for (uint64_t left = random->Below(120); left > 0; --left) {
      repeated += fragment;
    }
    return repeated;
  }

  // UTF-8 by its rule, surrogates too: those are invalid.
  static std::string EncodeAny(uint64_t c) {
    if (c < 0x80) return {static_cast<char>(c)};
    const auto tail = [c](int shift) {
      return static_cast<char>(0x80 | (c >> shift & 0x3F));
    };
    if (c < 0x800) return {static_cast<char>(0xC0 | c >> 6), tail(0)};
    if (c < 0x10000) {
      return {static_cast<char>(0xE0 | c >> 12), tail(6), tail(0)};
    }
    return {static_cast<char>(0xF0 | c >> 18), tail(12), tail(6), tail(0)};
  }

  uint64_t seed_;
  std::vector<int> limits_;
  std::vector<std::string> fragments_;
};

// Of the ids' bytes, little-endian, as 8 hexadecimal digits.
inline std::string Fnv1a(const std::vector<int32_t>& ids) {
  uint32_t hash = 0x811C9DC5;
  for (const int32_t id : ids) {
    for (int shift = 0; shift < 32; shift += 8) {
      hash = (hash ^ (static_cast<uint32_t>(id) >> shift & 0xFF)) * 0x01000193;
    }
  }
  return fmt::format("{:08x}", hash);
}

}  // namespace quaver
