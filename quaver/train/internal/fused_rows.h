// The loops of fused.h, inlined into functions for one instruction set each:
// written so that a compiler makes vectors of them.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "quaver/train/fused.h"

// Everything here has to become part of its caller, which says for what
// instruction set it is built.
#define QUAVER_INLINE static inline __attribute__((always_inline))

namespace quaver::fused {

QUAVER_INLINE float Load(float x) { return x; }
QUAVER_INLINE float Load(Bf16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
}
QUAVER_INLINE void Store(float value, float* to) { *to = value; }
// Rounds to nearest, ties to even. NaN as processors make it stays one; any
// other may not.
QUAVER_INLINE void Store(float value, Bf16* to) {
  const auto bits = std::bit_cast<uint32_t>(value);
  to->bits = static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}
// Every NaN stays one.
QUAVER_INLINE void StoreAny(float value, Bf16* to) {
  const auto bits = std::bit_cast<uint32_t>(value);
  Store(value, to);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) {
    to->bits = static_cast<uint16_t>((bits >> 16) | 0x40);
  }
}

// e^x by 2^k times a polynomial of degree 6 (Cephes): 2 ulp; 0 below -87.
QUAVER_INLINE float Exp(float x) {
  x = std::min(std::max(x, -87.3f), 88.3f);
  const float shifted = x * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: rounds
  const float k = shifted - 12582912.0f;
  const float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const auto exponent = static_cast<int32_t>(k) + 127;
  return p * std::bit_cast<float>(exponent << 23);
}

// The normal distribution's mass below x, by Abramowitz and Stegun 7.1.26:
// 1.5e-7. `density` becomes e^(-x^2/2).
QUAVER_INLINE float NormalCdf(float x, float* density) {
  const float z = std::fabs(x) * 0.70710678f;
  const float t = 1.0f / (1.0f + 0.3275911f * z);
  const float e = Exp(-z * z);
  float p = 1.061405429f;
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const float tail = 0.5f * p * t * e;
  *density = e;
  return x < 0 ? tail : 1.0f - tail;
}

QUAVER_INLINE float Keep(const DropoutMask& mask, uint32_t element) {
  uint32_t h = element * 0x9E3779B1u ^ mask.seed;
  h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
  h = (h ^ (h >> 13)) * 0xC2B2AE35u;
  h ^= h >> 16;
  return h >= mask.threshold ? mask.scale : 0.0f;
}

template <typename T>
QUAVER_INLINE void AddNormForward(const AddNorm<T>& op, int64_t begin,
                                  int64_t end) {
  const int64_t n = op.width;
  for (int64_t row = begin; row < end; ++row) {
    const T* y = op.y + row * n;
    const T* residual = op.residual + row * n;
    T* sum = op.sum + row * n;
    const auto first = static_cast<uint32_t>(row * n);
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t c = 0; c < n; ++c) {
      float value = Load(y[c]);
      if (op.bias != nullptr) value += Load(op.bias[c]);
      if (op.mask.threshold != 0) {
        value *= Keep(op.mask, first + static_cast<uint32_t>(c));
      }
      Store(value + Load(residual[c]), &sum[c]);
      total += Load(sum[c]);
    }
    const float mean = total / static_cast<float>(n);
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t c = 0; c < n; ++c) {
      const float difference = Load(sum[c]) - mean;
      squares += difference * difference;
    }
    const float rstd =
        1.0f / std::sqrt(squares / static_cast<float>(n) + op.epsilon);
    T* out = op.out + row * n;
#pragma omp simd
    for (int64_t c = 0; c < n; ++c) {
      Store((Load(sum[c]) - mean) * rstd * op.gamma[c] + op.beta[c], &out[c]);
    }
    op.mean[row] = mean;
    op.rstd[row] = rstd;
  }
}

template <typename T>
QUAVER_INLINE void AddNormBackward(const AddNorm<T>& op, int64_t begin,
                                   int64_t end, const T* dout, T* dresidual,
                                   T* dy, float* dgamma, float* dbeta) {
  const int64_t n = op.width;
  for (int64_t row = begin; row < end; ++row) {
    const T* d = dout + row * n;
    const T* sum = op.sum + row * n;
    const float mean = op.mean[row], rstd = op.rstd[row];
    float total = 0, along = 0;
#pragma omp simd reduction(+ : total, along)
    for (int64_t c = 0; c < n; ++c) {
      const float unit = (Load(sum[c]) - mean) * rstd;
      const float up = Load(d[c]);
      dgamma[c] += up * unit;
      dbeta[c] += up;
      total += up * op.gamma[c];
      along += up * op.gamma[c] * unit;
    }
    total /= static_cast<float>(n);
    along /= static_cast<float>(n);
    T* to_residual = dresidual + row * n;
#pragma omp simd
    for (int64_t c = 0; c < n; ++c) {
      const float unit = (Load(sum[c]) - mean) * rstd;
      Store(rstd * (Load(d[c]) * op.gamma[c] - total - unit * along),
            &to_residual[c]);
    }
    if (op.mask.threshold == 0) continue;
    T* to_y = dy + row * n;
    const auto first = static_cast<uint32_t>(row * n);
#pragma omp simd
    for (int64_t c = 0; c < n; ++c) {
      Store(Load(to_residual[c]) *
                Keep(op.mask, first + static_cast<uint32_t>(c)),
            &to_y[c]);
    }
  }
}

template <typename T>
QUAVER_INLINE void BiasGeluForward(const BiasGelu<T>& op, int64_t begin,
                                   int64_t end, T* x, T* out) {
  for (int64_t row = begin; row < end; ++row) {
    T* from = x + row * op.width;
    T* to = out + row * op.width;
#pragma omp simd
    for (int64_t c = 0; c < op.width; ++c) {
      const float value = Load(from[c]) + Load(op.bias[c]);
      float density;
      const float cdf = NormalCdf(value, &density);
      Store(value * cdf, &to[c]);
      Store(cdf + value * density * 0.39894228f, &from[c]);
    }
  }
}

template <typename T>
QUAVER_INLINE void BiasGeluBackward(const BiasGelu<T>& op, int64_t begin,
                                    int64_t end, const T* slope, T* d) {
#pragma omp simd
  for (int64_t i = begin * op.width; i < end * op.width; ++i) {
    Store(Load(d[i]) * Load(slope[i]), &d[i]);
  }
}

template <typename T>
QUAVER_INLINE void CrossEntropyRun(const CrossEntropy<T>& op, int64_t begin,
                                   int64_t end, T* logits, float* loss,
                                   uint8_t* right) {
  const int64_t n = op.width;
  const float even = op.smoothing / static_cast<float>(n);
  for (int64_t row = begin; row < end; ++row) {
    T* x = logits + row * n;
    const int32_t label = op.labels[row];
    if (label == kNoLabel) {
      loss[row] = 0;
      right[row] = 0;
      std::memset(static_cast<void*>(x), 0, n * sizeof(T));
      continue;
    }
    float greatest = -INFINITY, total = 0;
#pragma omp simd reduction(max : greatest) reduction(+ : total)
    for (int64_t c = 0; c < n; ++c) {
      const float value = Load(x[c]);
      greatest = std::max(greatest, value);
      total += value;
    }
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t c = 0; c < n; ++c) sum += Exp(Load(x[c]) - greatest);
    const float log_sum = greatest + std::log(sum);
    const float own = Load(x[label]);
    loss[row] = log_sum - (1 - op.smoothing) * own - even * total;
    // The first of the greatest counts, as in argmax.
    bool first = own == greatest;
    for (int64_t c = 0; first && c < label; ++c) first = Load(x[c]) < greatest;
    right[row] = first ? 1 : 0;
    const float share = op.scale / sum;
    const float even_share = op.scale * even;
#pragma omp simd
    for (int64_t c = 0; c < n; ++c) {
      Store(Exp(Load(x[c]) - greatest) * share - even_share, &x[c]);
    }
    Store(op.scale * (std::exp(own - log_sum) - (1 - op.smoothing) - even),
          &x[label]);
  }
}

template <typename T>
QUAVER_INLINE void ColumnSums(const T* x, int64_t rows, int64_t width,
                              int64_t begin, int64_t end, float* sums) {
  for (int64_t row = 0; row < rows; ++row) {
    const T* from = x + row * width;
#pragma omp simd
    for (int64_t c = begin; c < end; ++c) sums[c] += Load(from[c]);
  }
}

template <typename T>
QUAVER_INLINE void DropoutRun(const DropoutMask& mask, int64_t begin,
                              int64_t end, T* x) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    Store(Load(x[i]) * Keep(mask, static_cast<uint32_t>(i)), &x[i]);
  }
}

template <typename T>
QUAVER_INLINE void AddToRun(const T* x, int64_t begin, int64_t end,
                            float* total) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) total[i] += Load(x[i]);
}

QUAVER_INLINE void AdamWRun(const AdamW& op, int64_t begin, int64_t end) {
  const float decay = 1.0f - op.learning_rate * op.weight_decay;
  const float step = op.learning_rate / op.correction1;
  const float scale2 = 1.0f / std::sqrt(op.correction2);
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    const float g = op.gradient[i] * op.gradient_scale;
    const float m = op.beta1 * op.moment1[i] + (1 - op.beta1) * g;
    const float v = op.beta2 * op.moment2[i] + (1 - op.beta2) * g * g;
    op.moment1[i] = m;
    op.moment2[i] = v;
    op.gradient[i] = 0;
    op.weights[i] =
        op.weights[i] * decay - step * m / (std::sqrt(v) * scale2 + op.epsilon);
  }
  if (op.average != nullptr) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
      op.average[i] += (1 - op.average_decay) * (op.weights[i] - op.average[i]);
    }
  }
  if (op.shadow != nullptr) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) {
      Store(op.weights[i], &op.shadow[i]);
    }
  }
}

QUAVER_INLINE void MomentumRun(const float* gradient, float decay,
                               int64_t begin, int64_t end, float* momentum,
                               Bf16* ahead) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    const float m = decay * momentum[i] + gradient[i];
    momentum[i] = m;
    Store(gradient[i] + decay * m, &ahead[i]);
  }
}

QUAVER_INLINE double SquareSumRun(const float* x, int64_t begin, int64_t end) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = begin; i < end; ++i) {
    sum += static_cast<double>(x[i]) * x[i];
  }
  return sum;
}

QUAVER_INLINE void ToBf16Run(const float* x, int64_t begin, int64_t end,
                             Bf16* out) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) StoreAny(x[i], &out[i]);
}

}  // namespace quaver::fused
