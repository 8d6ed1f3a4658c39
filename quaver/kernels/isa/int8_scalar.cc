// The definition of the int8 kernels.
#include <algorithm>
#include <cmath>

#include "quaver/kernels/isa/int8_gelu.h"
#include "quaver/kernels/isa/tables.h"

namespace quaver {
namespace {

float Gelu(float x) {
  const float z = std::clamp(x, -kGeluLimit, kGeluLimit);
  const float t = z * z;
  float p = kGeluTerms[std::size(kGeluTerms) - 1];
  for (size_t i = std::size(kGeluTerms) - 1; i-- > 0;) {
    p = std::fma(p, t, kGeluTerms[i]);
  }
  return x * std::fma(z, p, 0.5f);
}

void Quantise(const float* x, size_t M, size_t K, uint8_t* codes,
              Int8Row* rows) {
  const size_t stride = Int8Stride(K);
  for (size_t m = 0; m < M; ++m, x += K, codes += stride) {
    float least = 0, greatest = 0;
    for (size_t k = 0; k < K; ++k) {
      least = std::min(least, x[k]);
      greatest = std::max(greatest, x[k]);
    }
    const float range = greatest - least;
    const float inverse = range > kInt8LeastRange ? 255 / range : 0;
    const auto zero = static_cast<int>(std::lrint(-least * inverse));
    rows[m].scale = range > kInt8LeastRange ? range / 255 : 0;
    rows[m].offset = -rows[m].scale * static_cast<float>(zero);
    for (size_t k = 0; k < stride; ++k) {
      const float value = k < K ? x[k] : 0;
      const auto code = static_cast<int>(std::lrint(value * inverse)) + zero;
      codes[k] = static_cast<uint8_t>(std::clamp(code, 0, 255));
    }
  }
}

void QuantiseWith(Int8Row row, const float* x, size_t M, size_t K,
                  uint8_t* codes, Int8Row* rows) {
  const size_t stride = Int8Stride(K);
  const float inverse = row.scale > 0 ? 1 / row.scale : 0;
  const auto zero = static_cast<int>(std::lrint(-row.offset * inverse));
  const auto low = static_cast<float>(-zero);
  const auto high = static_cast<float>(255 - zero);
  for (size_t m = 0; m < M; ++m, x += K, codes += stride) {
    rows[m] = row;
    for (size_t k = 0; k < stride; ++k) {
      float value = k < K ? x[k] * inverse : 0;
      value = value > low ? value : low;
      value = value < high ? value : high;
      codes[k] = static_cast<uint8_t>(std::lrint(value) + zero);
    }
  }
}

void Gemm(const uint8_t* codes, const Int8Row* rows, const Int8Weight& weight,
          const float* residual, size_t M, Epilogue epilogue, float* y,
          size_t y_stride) {
  const size_t N = weight.N, stride = Int8Stride(weight.K);
  for (size_t m = 0; m < M; ++m) {
    for (size_t n = 0; n < N; ++n) {
      const int8_t* panel = weight.codes +
                            n / kInt8Columns * kInt8Columns * stride +
                            n % kInt8Columns * 4;
      int32_t sum = 0;
      for (size_t k = 0; k < stride; ++k) {
        sum += codes[m * stride + k] * panel[k / 4 * 4 * kInt8Columns + k % 4];
      }
      float value =
          std::fma(static_cast<float>(sum), rows[m].scale * weight.scales[n],
                   std::fma(rows[m].offset, weight.sums[n], weight.bias[n]));
      if (epilogue == Epilogue::kBiasGelu) value = Gelu(value);
      if (epilogue == Epilogue::kBiasResidual)
        value += residual[m * y_stride + n];
      y[m * y_stride + n] = value;
    }
  }
}

}  // namespace

const Int8Kernels kInt8Scalar = {
    Quantise, QuantiseWith, Gemm, {{"scalar", Gemm}}};

}  // namespace quaver
