// The loops of fused.h but for attention, for one instruction set: see
// fused_vectors.h.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "quaver/train/fused.h"

namespace quaver::fused::QUAVER_SET {

// gelu and its slope: the normal distribution's mass below x by Abramowitz and
// Stegun 7.1.26, 1.5e-7.
QUAVER_INLINE void Gelu(Floats x, float /*type*/, Floats* value,
                        Floats* slope) {
  const Floats z = (x < 0 ? -x : x) * 0.70710678f;
  const Floats t = 1.0f / (1.0f + 0.3275911f * z);
  const Floats density = Exp(-z * z);
  Floats p = t * 1.061405429f - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const Floats tail = 0.5f * p * t * density;
  const Floats cdf = x < 0 ? tail : 1.0f - tail;
  *value = x * cdf;
  *slope = cdf + x * density * 0.39894228f;
}
// Both by polynomials in x^2, least squares over [-4, 4]: 3e-6 and 1.3e-5
// there; below they stay at -1.3e-4 and -5e-4, above at (1 - 3e-5) x
// and 1.0005.
QUAVER_INLINE void Gelu(Floats x, Bf16 /*type*/, Floats* value, Floats* slope) {
  constexpr float kMass[] = {
      -0.000499875f, 0.0015633316f, -0.0028473996f, 0.005903369f, -0.012419659f,
      0.022626733f,  -0.036886584f, 0.055922203f,   -0.08432017f, 0.17594999f};
  constexpr float kSlope[] = {
      -0.006941698f, 0.01928437f,  -0.026720652f, 0.0425631f,    -0.07410103f,
      0.10217379f,   -0.11506355f, 0.11419904f,   -0.113529734f, 0.18325992f};
  const Floats above = Greatest(x, Floats{} - 4.0f);
  const Floats near = Least(above, Floats{} + 4.0f);
  const Floats t = near * near * 0.125f - 1.0f;
  Floats mass = Floats{} + kMass[0], rise = Floats{} + kSlope[0];
  for (int i = 1; i < 10; ++i) {
    mass = mass * t + kMass[i];
    rise = rise * t + kSlope[i];
  }
  *value = above * (mass * near + 0.5f);
  *slope = rise * near + 0.5f;
}

// The mask's factors of elements `first` and those after it.
QUAVER_INLINE Floats Keep(const DropoutMask& mask, uint32_t first) {
  Uints h = (kOrder + first) * 0x9E3779B1u ^ mask.seed;
  h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
  h = (h ^ (h >> 13)) * 0xC2B2AE35u;
  h ^= h >> 16;
  return h >= mask.threshold ? Floats{} + mask.scale : Floats{};
}

template <typename T>
QUAVER_INLINE void AddNormForward(const AddNorm<T>& op, int64_t begin,
                                  int64_t end) {
  const int64_t n = op.width;
  const float share = 1.0f / static_cast<float>(n);
  for (int64_t row = begin; row < end; ++row) {
    const T* y = op.y + row * n;
    const T* residual = op.residual + row * n;
    T* sum = op.sum + row * n;
    const auto first = static_cast<uint32_t>(row * n);
    Floats total = {};
    ForVectors(n, [&](int64_t c, auto lanes) QUAVER_BODY {
      Floats value = LoadLanes(y + c, lanes);
      if (op.bias != nullptr) value += LoadLanes(op.bias + c, lanes);
      if (op.mask.threshold != 0) {
        value *= Keep(op.mask, first + static_cast<uint32_t>(c));
      }
      StoreLanes(value + LoadLanes(residual + c, lanes), lanes, sum + c);
      total += LoadLanes(sum + c, lanes);
    });
    const float mean = Sum(total) * share;
    Floats squares = {};
    ForVectors(n, [&](int64_t c, auto lanes) QUAVER_BODY {
      const Floats difference =
          Only(LoadLanes(sum + c, lanes) - mean, lanes, 0);
      squares += difference * difference;
    });
    const float rstd = 1.0f / std::sqrt(Sum(squares) * share + op.epsilon);
    T* out = op.out + row * n;
    ForVectors(n, [&](int64_t c, auto lanes) QUAVER_BODY {
      const Floats unit = (LoadLanes(sum + c, lanes) - mean) * rstd;
      StoreLanes(
          unit * LoadLanes(op.gamma + c, lanes) + LoadLanes(op.beta + c, lanes),
          lanes, out + c);
    });
    op.mean[row] = mean;
    op.rstd[row] = rstd;
  }
}

template <typename T>
QUAVER_INLINE void AddNormBackward(const AddNorm<T>& op, int64_t begin,
                                   int64_t end, const T* dout, T* dresidual,
                                   T* dy, float* dgamma, float* dbeta) {
  const int64_t n = op.width;
  const float share = 1.0f / static_cast<float>(n);
  for (int64_t row = begin; row < end; ++row) {
    const T* d = dout + row * n;
    const T* sum = op.sum + row * n;
    const float mean = op.mean[row], rstd = op.rstd[row];
    Floats totals = {}, alongs = {};
    ForVectors(n, [&](int64_t c, auto lanes) QUAVER_BODY {
      const Floats unit = (LoadLanes(sum + c, lanes) - mean) * rstd;
      const Floats up = LoadLanes(d + c, lanes);
      StoreLanes(LoadLanes(dgamma + c, lanes) + up * unit, lanes, dgamma + c);
      StoreLanes(LoadLanes(dbeta + c, lanes) + up, lanes, dbeta + c);
      const Floats scaled = up * LoadLanes(op.gamma + c, lanes);
      totals += scaled;
      alongs += scaled * unit;
    });
    const float total = Sum(totals) * share, along = Sum(alongs) * share;
    T* to_residual = dresidual + row * n;
    T* to_y = dy + row * n;
    const auto first = static_cast<uint32_t>(row * n);
    ForVectors(n, [&](int64_t c, auto lanes) QUAVER_BODY {
      const Floats unit = (LoadLanes(sum + c, lanes) - mean) * rstd;
      const Floats scaled =
          LoadLanes(d + c, lanes) * LoadLanes(op.gamma + c, lanes);
      StoreLanes(rstd * (scaled - total - unit * along), lanes,
                 to_residual + c);
      if (op.mask.threshold != 0) {
        StoreLanes(LoadLanes(to_residual + c, lanes) *
                       Keep(op.mask, first + static_cast<uint32_t>(c)),
                   lanes, to_y + c);
      }
    });
  }
}

template <typename T>
QUAVER_INLINE void BiasGeluForward(const BiasGelu<T>& op, int64_t begin,
                                   int64_t end, T* x, T* out) {
  for (int64_t row = begin; row < end; ++row) {
    T* from = x + row * op.width;
    T* to = out + row * op.width;
    ForVectors(op.width, [&](int64_t c, auto lanes) QUAVER_BODY {
      Floats value, slope;
      Gelu(LoadLanes(from + c, lanes) + LoadLanes(op.bias + c, lanes), T(),
           &value, &slope);
      StoreLanes(value, lanes, to + c);
      StoreLanes(slope, lanes, from + c);
    });
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
    Floats most = Floats{} - INFINITY, totals = {};
    ForVectors(n, [&](int64_t c, auto lanes) QUAVER_BODY {
      const Floats value = LoadLanes(x + c, lanes);
      most = Greatest(most, Only(value, lanes, -INFINITY));
      totals += value;
    });
    const float greatest = Greatest(most);
    const float own = Load(x[label]);
    // The first of the greatest counts, as in argmax.
    bool first = own == greatest;
    for (int64_t c = 0; first && c < label; ++c) first = Load(x[c]) < greatest;
    right[row] = first ? 1 : 0;
    Floats sums = {};
    ForVectors(n, [&](int64_t c, auto lanes) QUAVER_BODY {
      const Floats e = Exp(LoadLanes(x + c, lanes) - greatest);
      StoreLanes(e, lanes, x + c);
      sums += Only(e, lanes, 0);
    });
    const float sum = Sum(sums);
    const float log_sum = greatest + std::log(sum);
    loss[row] = log_sum - (1 - op.smoothing) * own - even * Sum(totals);
    const float share = op.scale / sum;
    const float even_share = op.scale * even;
    ForVectors(n, [&](int64_t c, auto lanes) QUAVER_BODY {
      StoreLanes(LoadLanes(x + c, lanes) * share - even_share, lanes, x + c);
    });
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
  ForVectors(end - begin, [&](int64_t i, auto lanes) QUAVER_BODY {
    T* at = x + begin + i;
    StoreLanes(
        LoadLanes(at, lanes) * Keep(mask, static_cast<uint32_t>(begin + i)),
        lanes, at);
  });
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

QUAVER_INLINE double MomentumRun(const float* gradient, float scale,
                                 float decay, int64_t begin, int64_t end,
                                 float* momentum, Bf16* ahead) {
  double sum = 0;
  // Squares in float for a few, so that conversions are few.
  constexpr int64_t kFew = 1'024;
  for (int64_t first = begin; first < end; first += kFew) {
    const int64_t last = std::min(end, first + kFew);
    Floats squares = {};
    ForVectors(last - first, [&](int64_t c, auto lanes) QUAVER_BODY {
      const int64_t i = first + c;
      const Floats g = LoadLanes(gradient + i, lanes) * scale;
      const Floats m = decay * LoadLanes(momentum + i, lanes) + g;
      StoreLanes(m, lanes, momentum + i);
      const Floats next = g + decay * m;
      StoreLanes(next, lanes, ahead + i);
      squares += next * next;
    });
    sum += Sum(squares);
  }
  return sum;
}

QUAVER_INLINE void DirectedStepRun(const DirectedStep& op, int64_t begin,
                                   int64_t end) {
  const float decay = 1.0f - op.learning_rate * op.weight_decay;
  ForVectors(end - begin, [&](int64_t c, auto lanes) QUAVER_BODY {
    const int64_t i = begin + c;
    const Floats weights =
        decay * LoadLanes(op.weights + i, lanes) -
        op.learning_rate * LoadLanes(op.direction + i, lanes);
    StoreLanes(weights, lanes, op.weights + i);
    StoreLanes(Floats{}, lanes, op.gradient + i);
    if (op.average != nullptr) {
      const Floats average = LoadLanes(op.average + i, lanes);
      StoreLanes(average + (1 - op.average_decay) * (weights - average), lanes,
                 op.average + i);
    }
    if (op.shadow != nullptr) StoreLanes(weights, lanes, op.shadow + i);
  });
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

}  // namespace quaver::fused::QUAVER_SET
