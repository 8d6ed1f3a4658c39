// See fused.h: one copy of every loop for each instruction set, chosen once.
#include "quaver/train/fused.h"

#include <cstdlib>
#include <string_view>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "quaver/base/hash.h"

namespace quaver::fused {
namespace {

template <typename T>
struct Table {
  void (*add_norm_forward)(const AddNorm<T>&, int64_t, int64_t);
  void (*add_norm_backward)(const AddNorm<T>&, int64_t, int64_t, const T*, T*,
                            T*, float*, float*);
  void (*bias_gelu_forward)(const BiasGelu<T>&, int64_t, int64_t, T*, T*);
  void (*bias_gelu_backward)(const BiasGelu<T>&, int64_t, int64_t, const T*,
                             T*);
  void (*attention_forward)(const Attention<T>&, int64_t, int64_t);
  void (*attention_backward)(const Attention<T>&, int64_t, int64_t, const T*,
                             T*, T*, T*);
  void (*cross_entropy)(const CrossEntropy<T>&, int64_t, int64_t, T*, float*,
                        uint8_t*);
  void (*column_sums)(const T*, int64_t, int64_t, int64_t, int64_t, float*);
  void (*dropout)(const DropoutMask&, int64_t, int64_t, T*);
  void (*add_to)(const T*, int64_t, int64_t, float*);
  void (*adam_w)(const AdamW&, int64_t, int64_t);
  double (*momentum)(const float*, float, float, int64_t, int64_t, float*,
                     Bf16*);
  void (*directed_step)(const DirectedStep&, int64_t, int64_t);
  double (*square_sum)(const float*, int64_t, int64_t);
  void (*to_bf16)(const float*, int64_t, int64_t, Bf16*);
};

}  // namespace
}  // namespace quaver::fused

#define QUAVER_SET scalar
#define QUAVER_TARGET
#define QUAVER_AVX512 0
#include "quaver/train/internal/fused_set.h"
#if defined(__x86_64__)
#define QUAVER_SET avx2
#define QUAVER_TARGET __attribute__((target("avx2,fma")))
#define QUAVER_AVX512 0
#include "quaver/train/internal/fused_set.h"
#define QUAVER_SET avx512
#define QUAVER_TARGET \
  __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")))
#define QUAVER_AVX512 1
#include "quaver/train/internal/fused_set.h"
#define QUAVER_SET avx512_bf16
#define QUAVER_TARGET \
  __attribute__((     \
      target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define QUAVER_AVX512 2
#include "quaver/train/internal/fused_set.h"
#endif

namespace quaver {
namespace {

template <typename T>
using Table = fused::Table<T>;

template <typename T>
const Table<T>& Choose() {
#if defined(__x86_64__)
  const char* forced = std::getenv("QUAVER_ISA");
  const std::string_view isa = forced == nullptr ? "avx512" : forced;
  const bool avx512 =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool wide = isa.starts_with("avx512") || isa == "amx";
  const bool bf16 = forced == nullptr || isa == "avx512_bf16" || isa == "amx";
  if (wide && avx512 && bf16 && __builtin_cpu_supports("avx512bf16")) {
    return fused::avx512_bf16::kTable<T>;
  }
  if (wide && avx512) return fused::avx512::kTable<T>;
  if (isa != "scalar" && avx2) return fused::avx2::kTable<T>;
#endif
  return fused::scalar::kTable<T>;
}

template <typename T>
const Table<T>& Get() {
  static const Table<T>& table = Choose<T>();
  return table;
}

}  // namespace

DropoutMask MakeDropoutMask(double share, uint64_t seed) {
  DropoutMask mask;
  mask.seed = static_cast<uint32_t>(Mix64(seed));
  mask.threshold = static_cast<uint32_t>(share * 4294967296.0);
  mask.scale = static_cast<float>(1 / (1 - share));
  return mask;
}

template <typename T>
void AddNorm<T>::Forward(int64_t begin, int64_t end) const {
  Get<T>().add_norm_forward(*this, begin, end);
}

template <typename T>
void AddNorm<T>::Backward(int64_t begin, int64_t end, const T* dout,
                          T* dresidual, T* dy, float* dgamma,
                          float* dbeta) const {
  Get<T>().add_norm_backward(*this, begin, end, dout, dresidual, dy, dgamma,
                             dbeta);
}

template <typename T>
void BiasGelu<T>::Forward(int64_t begin, int64_t end, T* x, T* out) const {
  Get<T>().bias_gelu_forward(*this, begin, end, x, out);
}

template <typename T>
void BiasGelu<T>::Backward(int64_t begin, int64_t end, const T* slope,
                           T* d) const {
  Get<T>().bias_gelu_backward(*this, begin, end, slope, d);
}

template <typename T>
void Attention<T>::Forward(int64_t begin, int64_t end) const {
  Get<T>().attention_forward(*this, begin, end);
}

template <typename T>
void Attention<T>::Backward(int64_t begin, int64_t end, const T* dout, T* dq,
                            T* dk, T* dv) const {
  Get<T>().attention_backward(*this, begin, end, dout, dq, dk, dv);
}

template <typename T>
void CrossEntropy<T>::Run(int64_t begin, int64_t end, T* logits, float* loss,
                          uint8_t* right) const {
  Get<T>().cross_entropy(*this, begin, end, logits, loss, right);
}

template <typename T>
void AddColumnSums(const T* x, int64_t rows, int64_t width, int64_t begin,
                   int64_t end, float* sums) {
  Get<T>().column_sums(x, rows, width, begin, end, sums);
}

template <typename T>
void ApplyDropout(const DropoutMask& mask, int64_t begin, int64_t end, T* x) {
  Get<T>().dropout(mask, begin, end, x);
}

template <typename T>
void AddTo(const T* x, int64_t begin, int64_t end, float* total) {
  Get<T>().add_to(x, begin, end, total);
}

void AdamW::Run(int64_t begin, int64_t end) const {
  Get<float>().adam_w(*this, begin, end);
}

double Momentum(const float* gradient, float scale, float decay, int64_t begin,
                int64_t end, float* momentum, Bf16* ahead) {
  return Get<float>().momentum(gradient, scale, decay, begin, end, momentum,
                               ahead);
}

void DirectedStep::Run(int64_t begin, int64_t end) const {
  Get<float>().directed_step(*this, begin, end);
}

double SquareSum(const float* x, int64_t begin, int64_t end) {
  return Get<float>().square_sum(x, begin, end);
}

void ToBf16(const float* x, int64_t begin, int64_t end, Bf16* out) {
  Get<float>().to_bf16(x, begin, end, out);
}

#define QUAVER_INSTANTIATE(T)                                                  \
  template struct AddNorm<T>;                                                  \
  template struct BiasGelu<T>;                                                 \
  template struct Attention<T>;                                                \
  template struct CrossEntropy<T>;                                             \
  template void AddColumnSums<T>(const T*, int64_t, int64_t, int64_t, int64_t, \
                                 float*);                                      \
  template void ApplyDropout<T>(const DropoutMask&, int64_t, int64_t, T*);     \
  template void AddTo<T>(const T*, int64_t, int64_t, float*);
QUAVER_INSTANTIATE(float)
QUAVER_INSTANTIATE(Bf16)

}  // namespace quaver
