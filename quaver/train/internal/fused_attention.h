// Attention's loops of fused.h, for one instruction set: see fused_vectors.h.
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

// Neighbours in pairs of vectors: of each, the sums of what lies 8, 4, 2 and 1
// apart, a's before b's.
QUAVER_INLINE Floats Fold8(Floats a, Floats b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19,
                                 20, 21, 22, 23) +
         __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26,
                                 27, 28, 29, 30, 31);
}
QUAVER_INLINE Floats Fold4(Floats a, Floats b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11,
                                 24, 25, 26, 27) +
         __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14,
                                 15, 28, 29, 30, 31);
}
QUAVER_INLINE Floats Fold2(Floats a, Floats b) {
  return __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25,
                                 12, 13, 28, 29) +
         __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26,
                                 27, 14, 15, 30, 31);
}
QUAVER_INLINE Floats Fold1(Floats a, Floats b) {
  return __builtin_shufflevector(a, b, 0, 2, 16, 18, 4, 6, 20, 22, 8, 10, 24,
                                 26, 12, 14, 28, 30) +
         __builtin_shufflevector(a, b, 1, 3, 17, 19, 5, 7, 21, 23, 9, 11, 25,
                                 27, 13, 15, 29, 31);
}

// Functions of vectors with a length known when compiled, kDim, or else (0) of
// `dim` elements.

// Lane j is the product of `a` with row j; lanes from `n` on are anything.
// Sixteen sums across lanes take 45 instructions together, not 16 times 8.
template <int kDim>
QUAVER_INLINE Floats Dots(const float* a, const float* rows, int64_t n,
                          int64_t dim) {
  if constexpr (kDim > 0) {
    const auto product = [&](int64_t j) QUAVER_BODY {
      Floats sum = LoadVector(a) * LoadVector(rows + j * kDim);
      for (int64_t c = kLanes; c < kDim; c += kLanes) {
        sum += LoadVector(a + c) * LoadVector(rows + j * kDim + c);
      }
      return sum;
    };
    Floats halves[8];  // of rows j and j + 8
    if (n > 8) {
      for (int j = 0; j < 8; ++j) halves[j] = Fold8(product(j), product(j + 8));
    } else {
      for (int j = 0; j < 8; ++j) halves[j] = Fold8(product(j), Floats{});
    }
    Floats quarters[4];
    for (int j = 0; j < 4; ++j) quarters[j] = Fold4(halves[j], halves[j + 4]);
    return Fold1(Fold2(quarters[0], quarters[1]),
                 Fold2(quarters[2], quarters[3]));
  } else {
    Floats dots = {};
    for (int64_t j = 0; j < std::min(n, kLanes); ++j) {
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t c = 0; c < dim; ++c) sum += a[c] * rows[j * dim + c];
      dots[j] = sum;
    }
    return dots;
  }
}

// Row o of `out` = the sum of `n` rows, row j times factors[o * of_out + j *
// of_row]; two at a time, so that additions need not wait for each other.
template <int kDim>
QUAVER_INLINE void Combine(const float* factors, int64_t of_out, int64_t of_row,
                           const float* rows, int64_t n, int64_t num_out,
                           int64_t dim, float* out) {
  if constexpr (kDim > 0) {
    constexpr int kParts = kDim / kLanes;
    int64_t o = 0;
    for (; o + 2 <= num_out; o += 2) {
      Floats one[kParts] = {}, two[kParts] = {};
      for (int64_t j = 0; j < n; ++j) {
        const float* factor = factors + o * of_out + j * of_row;
        for (int part = 0; part < kParts; ++part) {
          const Floats row = LoadVector(rows + j * kDim + part * kLanes);
          one[part] += factor[0] * row;
          two[part] += factor[of_out] * row;
        }
      }
      std::memcpy(out + o * kDim, one, sizeof(one));
      std::memcpy(out + (o + 1) * kDim, two, sizeof(two));
    }
    if (o == num_out) return;
    Floats sums[kParts] = {};
    for (int64_t j = 0; j < n; ++j) {
      const float factor = factors[o * of_out + j * of_row];
      for (int part = 0; part < kParts; ++part) {
        sums[part] += factor * LoadVector(rows + j * kDim + part * kLanes);
      }
    }
    std::memcpy(out + o * kDim, sums, sizeof(sums));
  } else {
    std::memset(out, 0, num_out * dim * sizeof(float));
    for (int64_t o = 0; o < num_out; ++o) {
      for (int64_t j = 0; j < n; ++j) {
        const float factor = factors[o * of_out + j * of_row];
        const float* row = rows + j * dim;
#pragma omp simd
        for (int64_t c = 0; c < dim; ++c) out[o * dim + c] += factor * row[c];
      }
    }
  }
}

// Of the first `n` elements of a row of `stride`; those behind become 0.
QUAVER_INLINE void SoftmaxInPlace(int64_t n, int64_t stride, float* row) {
  Floats most = Floats{} - INFINITY;
  int64_t c = 0;
  for (; c < n; c += kLanes) {
    const Floats x = Only(LoadVector(row + c), First{n - c}, -1e30f);
    StoreVector(x, row + c);
    most = Greatest(most, x);
  }
  for (; c < stride; c += kLanes) StoreVector(Floats{}, row + c);
  const float greatest = Greatest(most);
  Floats sums = {};
  for (c = 0; c < n; c += kLanes) {
    const Floats e = Only(Exp(LoadVector(row + c) - greatest), First{n - c}, 0);
    StoreVector(e, row + c);
    sums += e;
  }
  const float scale = 1.0f / Sum(sums);
  for (c = 0; c < n; c += kLanes) {
    StoreVector(LoadVector(row + c) * scale, row + c);
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
  for (int64_t s = begin; s < end; ++s) {
    const int64_t q0 = op.q_offsets[s], nq = op.q_offsets[s + 1] - q0;
    const int64_t k0 = op.k_offsets[s], nk = op.k_offsets[s + 1] - k0;
    const int64_t count = KeyCount(op, s);
    const int64_t stride = Attention<T>::RowStride(nk);
    for (int64_t h = 0; h < op.heads; ++h) {
      const int64_t at = h * dim;
      LoadInputs(op, at, q0, nq, k0, count, dim, scratch);
      float* p = op.p + op.p_offsets[s] + h * nq * stride;
      for (int64_t i = 0; i < nq; ++i) {
        float* row = p + i * stride;
        const int64_t seen = Seen(op, i, count);
        for (int64_t j = 0; j < seen; j += kLanes) {
          StoreVector(scale * Dots<kDim>(scratch.q + i * dim,
                                         scratch.k + j * dim, seen - j, dim),
                      row + j);
        }
        SoftmaxInPlace(seen, stride, row);
      }
      Combine<kDim>(p, stride, 1, scratch.v, count, nq, dim, scratch.out);
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
    const int64_t stride = Attention<T>::RowStride(nk);
    for (int64_t h = 0; h < op.heads; ++h) {
      const int64_t at = h * dim;
      LoadInputs(op, at, q0, nq, k0, count, dim, scratch);
      LoadHead(dout + q0 * width + at, width, no_bias, nq, dim, scratch.out);
      const float* p = op.p + op.p_offsets[s] + h * nq * stride;
      for (int64_t i = 0; i < nq; ++i) {
        const float* row = p + i * stride;
        float* slopes = scratch.slopes + i * stride;
        const int64_t seen = Seen(op, i, count);
        Floats sums = {};
        for (int64_t j = 0; j < stride; j += kLanes) {
          const Floats dots =
              j >= seen ? Floats{}
                        : Only(Dots<kDim>(scratch.out + i * dim,
                                          scratch.v + j * dim, seen - j, dim),
                               First{seen - j}, 0);
          StoreVector(dots, slopes + j);
          sums += dots * LoadVector(row + j);
        }
        const float along = Sum(sums);
        for (int64_t j = 0; j < stride; j += kLanes) {
          // Where a probability is 0 the slope is, too.
          StoreVector(
              scale * LoadVector(row + j) * (LoadVector(slopes + j) - along),
              slopes + j);
        }
      }
      Combine<kDim>(scratch.slopes, stride, 1, scratch.k, count, nq, dim,
                    scratch.dq);
      Combine<kDim>(scratch.slopes, 1, stride, scratch.q, nq, nk, dim,
                    scratch.dk);
      Combine<kDim>(p, 1, stride, scratch.out, nq, nk, dim, scratch.dv);
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
