// Attention's loops of fused.h, for one instruction set: see fused_rows.h.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>

#include "quaver/train/fused.h"

namespace quaver::fused::QUAVER_SET {

// Rows of one head, with their bias, as floats without gaps.
template <typename T>
QUAVER_INLINE void LoadHead(const T* x, int64_t stride, const T* bias,
                            int64_t rows, int64_t dim, float* out) {
  for (int64_t row = 0; row < rows; ++row) {
#pragma omp simd
    for (int64_t c = 0; c < dim; ++c) {
      out[row * dim + c] =
          Load(x[row * stride + c]) + (bias != nullptr ? Load(bias[c]) : 0.0f);
    }
  }
}

template <typename T>
QUAVER_INLINE void StoreHead(const float* x, int64_t rows, int64_t dim,
                             int64_t stride, T* out) {
  for (int64_t row = 0; row < rows; ++row) {
#pragma omp simd
    for (int64_t c = 0; c < dim; ++c) {
      Store(x[row * dim + c], &out[row * stride + c]);
    }
  }
}

QUAVER_INLINE int64_t RoundUp(int64_t n) {
  return (n + kLanes - 1) / kLanes * kLanes;
}

// Functions of vectors with a length known when compiled, kDim, or else (0) of
// `dim` elements.
template <int kDim>
QUAVER_INLINE float Dot(const float* a, const float* b, int64_t dim) {
  const int64_t n = kDim > 0 ? kDim : dim;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < n; ++c) sum += a[c] * b[c];
  return sum;
}

// out = the sum of `n` rows, row j times factors[j * stride].
template <int kDim>
QUAVER_INLINE void Combine(const float* factors, int64_t stride,
                           const float* rows, int64_t n, int64_t dim,
                           float* out) {
  if constexpr (kDim > 0) {
    constexpr int kParts = kDim / kLanes;
    Floats sums[kParts] = {};
    for (int64_t j = 0; j < n; ++j) {
      const float factor = factors[j * stride];
      for (int part = 0; part < kParts; ++part) {
        sums[part] += factor * LoadVector(rows + j * kDim + part * kLanes);
      }
    }
    std::memcpy(out, sums, sizeof(sums));
  } else {
    std::memset(out, 0, dim * sizeof(float));
    for (int64_t j = 0; j < n; ++j) {
      const float factor = factors[j * stride];
      const float* row = rows + j * dim;
#pragma omp simd
      for (int64_t c = 0; c < dim; ++c) out[c] += factor * row[c];
    }
  }
}

// Of the first `n` elements; those behind, up to RoundUp(n), come out as next
// to nothing. No loop has a remainder: texts are shorter than a vector.
QUAVER_INLINE void SoftmaxInPlace(int64_t n, float* row) {
  const int64_t padded = RoundUp(n);
  for (int64_t j = n; j < padded; ++j) row[j] = -1e30f;
  Floats most = LoadVector(row);
  for (int64_t j = kLanes; j < padded; j += kLanes) {
    most = Greatest(most, LoadVector(row + j));
  }
  const float greatest = Greatest(most);
  Floats sums = {};
  for (int64_t j = 0; j < padded; j += kLanes) {
    const Floats e = Exp(LoadVector(row + j) - greatest);
    StoreVector(e, row + j);
    sums += e;
  }
  const float scale = 1.0f / Sum(sums);
  for (int64_t j = 0; j < padded; j += kLanes) {
    StoreVector(LoadVector(row + j) * scale, row + j);
  }
}

// What one head of one sequence reads and writes.
struct HeadScratch {
  static constexpr int kElements = 256 * 128;
  alignas(64) float q[kElements], k[kElements], v[kElements], out[kElements];
  float dq[kElements], dk[kElements], dv[kElements];
  float slopes[256 * 256];  // of scores, [queries, keys]
};
inline HeadScratch& Scratch() {
  thread_local const std::unique_ptr<HeadScratch> scratch =
      std::make_unique<HeadScratch>();
  return *scratch;
}

template <typename T>
QUAVER_INLINE int64_t KeyCount(const Attention<T>& op, int64_t s) {
  return op.k_counts != nullptr ? op.k_counts[s]
                                : op.k_offsets[s + 1] - op.k_offsets[s];
}

// Keys that query i of a sequence sees.
template <typename T>
QUAVER_INLINE int64_t Seen(const Attention<T>& op, int64_t i, int64_t count) {
  return op.causal ? std::min(i + 1, count) : count;
}

// Queries, keys and values of the head whose first column is `at`.
template <typename T>
QUAVER_INLINE void LoadInputs(const Attention<T>& op, int64_t at, int64_t q0,
                              int64_t nq, int64_t k0, int64_t nk, int64_t dim,
                              HeadScratch& scratch) {
  LoadHead(op.q + q0 * op.q_stride + at, op.q_stride, op.q_bias + at, nq, dim,
           scratch.q);
  LoadHead(op.k + k0 * op.kv_stride + at, op.kv_stride, op.k_bias + at, nk, dim,
           scratch.k);
  LoadHead(op.v + k0 * op.kv_stride + at, op.kv_stride, op.v_bias + at, nk, dim,
           scratch.v);
}

template <int kDim, typename T>
QUAVER_INLINE void AttentionForwardOf(const Attention<T>& op, int64_t begin,
                                      int64_t end, HeadScratch& scratch) {
  const int64_t dim = kDim > 0 ? kDim : op.head_dim;
  const int64_t width = op.heads * dim;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  alignas(64) float row[Attention<T>::kMaxLength] = {};
  for (int64_t s = begin; s < end; ++s) {
    const int64_t q0 = op.q_offsets[s], nq = op.q_offsets[s + 1] - q0;
    const int64_t k0 = op.k_offsets[s], nk = op.k_offsets[s + 1] - k0;
    const int64_t count = KeyCount(op, s);
    for (int64_t h = 0; h < op.heads; ++h) {
      const int64_t at = h * dim;
      LoadInputs(op, at, q0, nq, k0, count, dim, scratch);
      float* p = op.p + op.p_offsets[s] + h * nq * nk;
      for (int64_t i = 0; i < nq; ++i) {
        const int64_t seen = Seen(op, i, count);
        for (int64_t j = 0; j < seen; ++j) {
          row[j] =
              scale * Dot<kDim>(scratch.q + i * dim, scratch.k + j * dim, dim);
        }
        SoftmaxInPlace(seen, row);
        for (int64_t j = seen; j < nk; ++j) row[j] = 0;
        std::memcpy(p + i * nk, row, nk * sizeof(float));
        Combine<kDim>(row, 1, scratch.v, seen, dim, scratch.out + i * dim);
      }
      StoreHead(scratch.out, nq, dim, width, op.out + q0 * width + at);
    }
  }
}

template <int kDim, typename T>
QUAVER_INLINE void AttentionBackwardOf(const Attention<T>& op, int64_t begin,
                                       int64_t end, const T* dout, T* dq, T* dk,
                                       T* dv, HeadScratch& scratch) {
  const int64_t dim = kDim > 0 ? kDim : op.head_dim;
  const int64_t width = op.heads * dim;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  const T* no_bias = nullptr;
  for (int64_t s = begin; s < end; ++s) {
    const int64_t q0 = op.q_offsets[s], nq = op.q_offsets[s + 1] - q0;
    const int64_t k0 = op.k_offsets[s], nk = op.k_offsets[s + 1] - k0;
    const int64_t count = KeyCount(op, s);
    for (int64_t h = 0; h < op.heads; ++h) {
      const int64_t at = h * dim;
      LoadInputs(op, at, q0, nq, k0, count, dim, scratch);
      LoadHead(dout + q0 * width + at, width, no_bias, nq, dim, scratch.out);
      const float* p = op.p + op.p_offsets[s] + h * nq * nk;
      for (int64_t i = 0; i < nq; ++i) {
        const float* row = p + i * nk;
        float* slopes = scratch.slopes + i * nk;
        float along = 0;
        const int64_t seen = Seen(op, i, count);
        for (int64_t j = 0; j < seen; ++j) {
          slopes[j] =
              Dot<kDim>(scratch.out + i * dim, scratch.v + j * dim, dim);
          along += slopes[j] * row[j];
        }
#pragma omp simd
        for (int64_t j = 0; j < seen; ++j) {
          slopes[j] = scale * row[j] * (slopes[j] - along);
        }
        for (int64_t j = seen; j < nk; ++j) slopes[j] = 0;
        Combine<kDim>(slopes, 1, scratch.k, count, dim, scratch.dq + i * dim);
      }
      for (int64_t j = 0; j < nk; ++j) {
        Combine<kDim>(scratch.slopes + j, nk, scratch.q, nq, dim,
                      scratch.dk + j * dim);
        Combine<kDim>(p + j, nk, scratch.out, nq, dim, scratch.dv + j * dim);
      }
      StoreHead(scratch.dq, nq, dim, op.q_stride, dq + q0 * op.q_stride + at);
      StoreHead(scratch.dk, nk, dim, op.kv_stride, dk + k0 * op.kv_stride + at);
      StoreHead(scratch.dv, nk, dim, op.kv_stride, dv + k0 * op.kv_stride + at);
    }
  }
}

// With the usual head dimensions known when compiled.
template <typename T>
QUAVER_INLINE void AttentionForward(const Attention<T>& op, int64_t begin,
                                    int64_t end) {
  HeadScratch& scratch = Scratch();
  switch (op.head_dim) {
    case 32:
      return AttentionForwardOf<32>(op, begin, end, scratch);
    case 64:
      return AttentionForwardOf<64>(op, begin, end, scratch);
    default:
      AttentionForwardOf<0>(op, begin, end, scratch);
  }
}

template <typename T>
QUAVER_INLINE void AttentionBackward(const Attention<T>& op, int64_t begin,
                                     int64_t end, const T* dout, T* dq, T* dk,
                                     T* dv) {
  HeadScratch& scratch = Scratch();
  switch (op.head_dim) {
    case 32:
      return AttentionBackwardOf<32>(op, begin, end, dout, dq, dk, dv, scratch);
    case 64:
      return AttentionBackwardOf<64>(op, begin, end, dout, dq, dk, dv, scratch);
    default:
      AttentionBackwardOf<0>(op, begin, end, dout, dq, dk, dv, scratch);
  }
}

}  // namespace quaver::fused::QUAVER_SET
