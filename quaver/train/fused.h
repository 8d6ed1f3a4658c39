// The row-wise halves of a transformer's training step on CPU: what lies
// between two matrix products, forward and backward, each in one pass over
// memory.
//
// Matrices are row-major without gaps unless a stride is given. T is float or
// Bf16; sums are float inside. Functions over rows [begin, end) may run side by
// side on disjoint ranges; the caller owns all memory. Nothing allocates.
#pragma once

#include <cstdint>

namespace quaver {

// The upper half of a float's bits.
struct Bf16 {
  uint16_t bits = 0;
};

// A mask over elements by number, the same whenever it is asked for: element i
// is kept when a hash of (seed, i) is at or above `threshold`.
struct DropoutMask {
  uint32_t seed = 0;
  uint32_t threshold = 0;  // share dropped * 2^32; 0 keeps everything
  float scale = 1;         // of what is kept: 1 / (1 - share)
};
// REQUIRES: share in [0, 1).
DropoutMask MakeDropoutMask(double share, uint64_t seed);

// out = norm(residual + dropout(y + bias)) * gamma + beta (Ba et al. 2016).
template <typename T>
struct AddNorm {
  int64_t width = 0;
  const T* y = nullptr;
  const T* bias = nullptr;  // [width] or null
  const T* residual = nullptr;
  const float* gamma = nullptr;
  const float* beta = nullptr;
  DropoutMask mask;
  float epsilon = 1e-5f;
  T* sum = nullptr;       // what is normalised, kept for the way back
  float* mean = nullptr;  // [rows]
  float* rstd = nullptr;  // [rows]
  T* out = nullptr;

  void Forward(int64_t begin, int64_t end) const;
  // From `dout`: dresidual, dy, and the range's share of dgamma and dbeta,
  // added. Where the mask keeps everything dy equals dresidual and is not
  // written.
  void Backward(int64_t begin, int64_t end, const T* dout, T* dresidual, T* dy,
                float* dgamma, float* dbeta) const;
};

// out = gelu(x + bias) (Hendrycks and Gimpel 2016): exact in float; in Bf16 by
// polynomials, within 3e-6 and beyond 4 and -4 within 1.3e-4 or 3e-5 of it.
template <typename T>
struct BiasGelu {
  int64_t width = 0;
  const T* bias = nullptr;

  // x becomes gelu's slope there, all that the way back needs.
  void Forward(int64_t begin, int64_t end, T* x, T* out) const;
  // The gradient `d` of out becomes that of x + bias.
  void Backward(int64_t begin, int64_t end, const T* slope, T* d) const;
};

// Scaled dot-product attention of sequences that lie one after the other:
// sequence s has queries [q_offsets[s], q_offsets[s+1]) and keys likewise, of
// which the first k_counts[s] count (all, where k_counts is null). Biases are
// added to queries, keys and values as they are read.
template <typename T>
struct Attention {
  int heads = 0;
  int head_dim = 0;  // at most 128
  bool causal = false;
  const int32_t* q_offsets = nullptr;
  const int32_t* k_offsets = nullptr;
  const int32_t* k_counts = nullptr;
  const T* q = nullptr;
  const T* k = nullptr;
  const T* v = nullptr;
  int64_t q_stride = 0;  // elements a row
  int64_t kv_stride = 0;
  const T* q_bias = nullptr;
  const T* k_bias = nullptr;
  const T* v_bias = nullptr;
  // Probabilities [heads, queries, RowStride(keys)] of each sequence, at
  // p_offsets[s]; 0 where a query does not look.
  static constexpr int64_t RowStride(int64_t keys) {
    return (keys + 15) / 16 * 16;
  }
  float* p = nullptr;
  const int64_t* p_offsets = nullptr;
  T* out = nullptr;  // [queries, heads * head_dim]

  // Sequences [begin, end), each of at most kMaxLength queries and keys.
  static constexpr int kMaxLength = 256;
  void Forward(int64_t begin, int64_t end) const;
  // dq, dk and dv have the strides of q, k and v.
  void Backward(int64_t begin, int64_t end, const T* dout, T* dq, T* dk,
                T* dv) const;
};

// Cross entropy of rows of logits against labels (kNoLabel: not counted), with
// label smoothing (Szegedy et al. 2016): the target is 1 - smoothing on the
// label and smoothing / width everywhere.
inline constexpr int32_t kNoLabel = -100;
template <typename T>
struct CrossEntropy {
  int64_t width = 0;
  float smoothing = 0;
  float scale = 1;  // of the gradient
  const int32_t* labels = nullptr;

  // Replaces the logits by the gradient (in Bf16 rounded twice); loss[row] is 0
  // for a row that does not count, right[row] is 1 where the label has the
  // greatest logit (of equal ones the first has).
  void Run(int64_t begin, int64_t end, T* logits, float* loss,
           uint8_t* right) const;
};

// Columns [begin, end): sums[c] += the sum of column c of x [rows, width].
template <typename T>
void AddColumnSums(const T* x, int64_t rows, int64_t width, int64_t begin,
                   int64_t end, float* sums);

// x = dropout(x), elements [begin, end); its own derivative.
template <typename T>
void ApplyDropout(const DropoutMask& mask, int64_t begin, int64_t end, T* x);

// total[i] += x[i].
template <typename T>
void AddTo(const T* x, int64_t begin, int64_t end, float* total);

// AdamW (Loshchilov and Hutter 2019) over [begin, end): one pass reads the
// gradient, updates both moments and the weights, writes the weights' bf16 form
// and average, and clears the gradient.
struct AdamW {
  float learning_rate = 0;
  float beta1 = 0.9f, beta2 = 0.98f;
  float epsilon = 1e-8f;
  float weight_decay = 0;
  float correction1 = 1, correction2 = 1;  // 1 - beta^step
  float gradient_scale = 1;                // clipping, loss scaling
  float average_decay = 0;                 // of `average`, where it is not null
  float* weights = nullptr;
  float* gradient = nullptr;
  float* moment1 = nullptr;
  float* moment2 = nullptr;
  float* average = nullptr;  // or null
  Bf16* shadow = nullptr;    // or null

  void Run(int64_t begin, int64_t end) const;
};

// Momentum of which an update looks one step ahead (Nesterov), over [begin,
// end): momentum = decay * momentum + scale * gradient; ahead = scale *
// gradient + decay * momentum, of which it returns the sum of squares.
double Momentum(const float* gradient, float scale, float decay, int64_t begin,
                int64_t end, float* momentum, Bf16* ahead);

// A step along a direction that is known, over [begin, end): weights = (1 -
// learning_rate * weight_decay) * weights - learning_rate * direction; with
// what AdamW does besides in its one pass.
struct DirectedStep {
  float learning_rate = 0;
  float weight_decay = 0;
  float average_decay = 0;
  const Bf16* direction = nullptr;
  float* weights = nullptr;
  float* gradient = nullptr;
  float* average = nullptr;  // or null
  Bf16* shadow = nullptr;    // or null

  void Run(int64_t begin, int64_t end) const;
};

// Sum of squares of [begin, end).
double SquareSum(const float* x, int64_t begin, int64_t end);
void ToBf16(const float* x, int64_t begin, int64_t end, Bf16* out);

}  // namespace quaver
