// The definition of the dense kernels: loops that can be checked by eye.
#include <cmath>

#include "quaver/kernels/isa/tables.h"

namespace quaver {
namespace {

size_t PackedSize(size_t N, size_t K) { return N * K; }

void Pack(const float* weight, size_t N, size_t K, float* packed) {
  for (size_t i = 0; i < N * K; ++i) packed[i] = weight[i];
}

float Gelu(float x) {
  return 0.5f * x * (1.0f + std::erf(x * 0.70710678118654752f));
}

void Gemm(const float* x, const float* packed, const float* bias,
          const float* residual, size_t M, size_t N, size_t K,
          Epilogue epilogue, float* y, size_t stride) {
  for (size_t m = 0; m < M; ++m) {
    for (size_t n = 0; n < N; ++n) {
      float sum = 0;
      for (size_t k = 0; k < K; ++k) sum += x[m * K + k] * packed[n * K + k];
      sum += bias[n];
      if (epilogue == Epilogue::kBiasGelu) sum = Gelu(sum);
      if (epilogue == Epilogue::kBiasResidual) sum += residual[m * stride + n];
      y[m * stride + n] = sum;
    }
  }
}

void LayerNorm(const float* x, const float* weight, const float* bias, size_t M,
               size_t D, float epsilon, float* y) {
  for (size_t m = 0; m < M; ++m, x += D, y += D) {
    float sum = 0;
    for (size_t i = 0; i < D; ++i) sum += x[i];
    const float mean = sum / static_cast<float>(D);
    float squares = 0;
    for (size_t i = 0; i < D; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const float variance = squares / static_cast<float>(D);
    const float scale = 1.0f / std::sqrt(variance + epsilon);
    for (size_t i = 0; i < D; ++i) {
      y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
    }
  }
}

void LayerNormCodes(const float* x, const float* weight, const float* bias,
                    size_t M, size_t D, float epsilon, float* y,
                    const Int8Row* fixed, uint8_t* codes, Int8Row* rows) {
  LayerNorm(x, weight, bias, M, D, epsilon, y);
  if (fixed == nullptr) {
    kInt8Scalar.quantise(y, M, D, codes, rows);
  } else {
    kInt8Scalar.quantise_with(*fixed, y, M, D, codes, rows);
  }
}

void Softmax(float* scores, size_t T) {
  float max = scores[0];
  for (size_t t = 1; t < T; ++t) max = std::fmax(max, scores[t]);
  float sum = 0;
  for (size_t t = 0; t < T; ++t) {
    scores[t] = std::exp(scores[t] - max);
    sum += scores[t];
  }
  for (size_t t = 0; t < T; ++t) scores[t] /= sum;
}

size_t AttentionScratch(size_t T, size_t, size_t) { return T; }

void Attention(const float* qkv, size_t T, size_t H, size_t D, size_t begin,
               size_t end, float* scratch, float* out) {
  const size_t head_width = D / H;
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_width));
  for (size_t row = 0; row < T; ++row) {
    for (size_t head = begin; head < end; ++head) {
      const float* query = qkv + row * 3 * D + head * head_width;
      const float* keys = qkv + D + head * head_width;        // [T, 3 * D]
      const float* values = qkv + 2 * D + head * head_width;  // [T, 3 * D]
      for (size_t t = 0; t < T; ++t) {
        float sum = 0;
        for (size_t i = 0; i < head_width; ++i) {
          sum += query[i] * keys[t * 3 * D + i];
        }
        scratch[t] = sum * scale;
      }
      Softmax(scratch, T);
      for (size_t i = 0; i < head_width; ++i) {
        float sum = 0;
        for (size_t t = 0; t < T; ++t) {
          sum += scratch[t] * values[t * 3 * D + i];
        }
        out[row * D + head * head_width + i] = sum;
      }
    }
  }
}

size_t AttendRowScratch(size_t N) { return N; }

void AttendRow(const float* query, const float* keys, const float* values,
               size_t stride, const uint32_t* rows, size_t N, size_t H,
               size_t D, float* scratch, float* out) {
  const size_t head_width = D / H;
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_width));
  const auto place = [&](size_t n) {
    return (rows == nullptr ? n : rows[n]) * stride;
  };
  for (size_t begin = 0; begin < D; begin += head_width) {
    for (size_t n = 0; n < N; ++n) {
      const float* key = keys + place(n);
      float sum = 0;
      for (size_t i = begin; i < begin + head_width; ++i) {
        sum += query[i] * key[i];
      }
      scratch[n] = sum * scale;
    }
    Softmax(scratch, N);
    for (size_t i = begin; i < begin + head_width; ++i) {
      float sum = 0;
      for (size_t n = 0; n < N; ++n) sum += scratch[n] * values[place(n) + i];
      out[i] = sum;
    }
  }
}

RowSummary Summarise(const float* x, size_t N) {
  RowSummary row{};
  for (size_t rank = 0; rank < RowSummary::kCount; ++rank) {
    row.greatest[rank] = -HUGE_VALF;
    for (uint32_t n = 0; n < N; ++n) {
      bool taken = false;
      for (size_t r = 0; r < rank; ++r) taken = taken || row.index[r] == n;
      if (taken || !(x[n] > row.greatest[rank])) continue;
      row.greatest[rank] = x[n];
      row.index[rank] = n;
    }
  }
  double sum = 0;
  for (size_t n = 0; n < N; ++n) {
    sum += std::exp(static_cast<double>(x[n]) - row.greatest[0]);
  }
  row.sum = static_cast<float>(sum);
  return row;
}

}  // namespace

const DenseKernels kDenseScalar = {1,
                                   PackedSize,
                                   Pack,
                                   Gemm,
                                   LayerNorm,
                                   LayerNormCodes,
                                   AttentionScratch,
                                   Attention,
                                   AttendRowScratch,
                                   AttendRow,
                                   Summarise,
                                   {{"scalar", Gemm}}};

}  // namespace quaver
