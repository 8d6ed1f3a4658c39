// See int8.h.
#include "quaver/kernels/int8.h"

#include <algorithm>
#include <cmath>

#include "quaver/kernels/isa/int8_gelu.h"

namespace quaver {

Int8Row Int8RowOf(float low, float high) {
  const float range = high - low;
  if (!(range > kInt8LeastRange)) return {0, 0};
  const float scale = range / 255;
  return {scale, -scale * std::nearbyint(-low * (255 / range))};
}

Int8Pack PackInt8(const float* weight, const float* bias, size_t N, size_t K) {
  constexpr size_t kFour = 4;  // inputs that lie together
  const size_t stride = Int8Stride(K);
  const size_t columns = Int8Columns(N);
  Int8Pack pack;
  pack.codes.resize(columns * stride);
  pack.scales.resize(columns);
  pack.sums.resize(columns);
  pack.bias.resize(columns);
  std::copy(bias, bias + N, pack.bias.begin());
  for (size_t n = 0; n < N; ++n) {
    const float* row = weight + n * K;
    float greatest = 0;
    for (size_t k = 0; k < K; ++k) {
      greatest = std::max(greatest, std::fabs(row[k]));
    }
    const float scale = greatest / 127;
    const float inverse = greatest > 1e-30f ? 127 / greatest : 0;
    int32_t sum = 0;
    int8_t* panel = pack.codes.data() +
                    n / kInt8Columns * kInt8Columns * stride +
                    n % kInt8Columns * kFour;
    for (size_t k = 0; k < K; ++k) {
      const auto code = static_cast<int8_t>(std::lrint(row[k] * inverse));
      panel[k / kFour * kFour * kInt8Columns + k % kFour] = code;
      sum += code;
    }
    pack.scales[n] = scale;
    pack.sums[n] = scale * static_cast<float>(sum);
  }
  return pack;
}

}  // namespace quaver
