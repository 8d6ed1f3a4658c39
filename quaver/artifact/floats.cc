// Floating-point tensors of every width as fp32.
#include <bit>
#include <cstring>

#include "quaver/artifact/artifact.h"

namespace quaver {
namespace {

// IEEE half to single. Subnormal halves are normal singles, so their value is
// computed rather than shifted.
float FromHalf(uint16_t half) {
  const uint32_t sign = uint32_t{half & 0x8000u} << 16;
  const uint32_t exponent = (half >> 10) & 0x1F;
  const uint32_t fraction = half & 0x3FF;
  if (exponent == 0) {
    const float value = static_cast<float>(fraction) * 0x1.0p-24f;
    return sign != 0 ? -value : value;
  }
  const uint32_t widened = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | widened << 23 | fraction << 13);
}

float FromBfloat16(uint16_t value) {
  return std::bit_cast<float>(uint32_t{value} << 16);
}

}  // namespace

std::vector<float> ToFloats(const TensorView& view) {
  std::vector<float> floats(static_cast<size_t>(view.num_elements()));
  if (view.type == DataType::kF32) {
    std::memcpy(floats.data(), view.bytes.data(), view.bytes.size());
    return floats;
  }
  const std::byte* from = view.bytes.data();
  for (float& value : floats) {
    uint16_t bits = 0;
    std::memcpy(&bits, from, sizeof(bits));
    from += sizeof(bits);
    value = view.type == DataType::kF16 ? FromHalf(bits) : FromBfloat16(bits);
  }
  return floats;
}

}  // namespace quaver
