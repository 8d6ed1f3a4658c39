// The definition of the bf16 kernels.
#include <cmath>
#include <cstring>

#include "quaver/kernels/isa/tables.h"

namespace quaver {
namespace {

uint16_t Rounded(float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  constexpr uint32_t kExponent = 0x7F800000, kSign = 0x8000, kQuiet = 0x40;
  const uint32_t upper = bits >> 16;
  if (std::isnan(value)) return static_cast<uint16_t>(upper | kQuiet);
  if ((bits & kExponent) == 0) return static_cast<uint16_t>(upper & kSign);
  return static_cast<uint16_t>((bits + 0x7FFF + (upper & 1)) >> 16);
}

float Float(uint16_t half) {
  const uint32_t bits = uint32_t{half} << 16;
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

float Gelu(float x) {
  return 0.5f * x * (1.0f + std::erf(x * 0.70710678118654752f));
}

void Round(const float* x, size_t M, size_t K, uint16_t* rows) {
  const size_t stride = Bf16Stride(K);
  for (size_t m = 0; m < M; ++m) {
    for (size_t k = 0; k < stride; ++k) {
      rows[m * stride + k] = k < K ? Rounded(x[m * K + k]) : 0;
    }
  }
}

void Gemm(const uint16_t* rows, const Bf16Weight& weight, const float* residual,
          size_t M, Epilogue epilogue, float* y, size_t y_stride) {
  const size_t N = weight.N, stride = Bf16Stride(weight.K);
  for (size_t m = 0; m < M; ++m) {
    for (size_t n = 0; n < N; ++n) {
      const uint16_t* row = rows + m * stride;
      const uint16_t* panel = weight.halves +
                              n / kBf16Columns * kBf16Columns * stride +
                              n % kBf16Columns * 2;
      float sum = 0;
      for (size_t k = 0; k < stride; k += 2, panel += 2 * kBf16Columns) {
        sum += Float(row[k + 1]) * Float(panel[1]);
        sum += Float(row[k]) * Float(panel[0]);
      }
      sum += weight.bias[n];
      if (epilogue == Epilogue::kBiasGelu) sum = Gelu(sum);
      if (epilogue == Epilogue::kBiasResidual)
        sum += residual[m * y_stride + n];
      y[m * y_stride + n] = sum;
    }
  }
}

}  // namespace

const Bf16Kernels kBf16Scalar = {Round, Gemm, {{"scalar", Gemm}}};

}  // namespace quaver
