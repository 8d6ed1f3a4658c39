// See bf16.h.
#include "quaver/kernels/bf16.h"

#include <algorithm>

#include "quaver/kernels/isa/tables.h"

namespace quaver {

Bf16Pack PackBf16(const float* weight, const float* bias, size_t N, size_t K) {
  constexpr size_t kTwo = 2;  // inputs that lie together
  const size_t stride = Bf16Stride(K);
  const size_t columns = Bf16Columns(N);
  Bf16Pack pack;
  pack.halves.resize(columns * stride);
  pack.bias.resize(columns);
  std::copy(bias, bias + N, pack.bias.begin());
  std::vector<uint16_t> row(stride);
  for (size_t n = 0; n < N; ++n) {
    kBf16Scalar.round(weight + n * K, 1, K, row.data());
    uint16_t* panel = pack.halves.data() +
                      n / kBf16Columns * kBf16Columns * stride +
                      n % kBf16Columns * kTwo;
    for (size_t k = 0; k < K; ++k) {
      panel[k / kTwo * kTwo * kBf16Columns + k % kTwo] = row[k];
    }
  }
  return pack;
}

}  // namespace quaver
