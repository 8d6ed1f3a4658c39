// Times the dense kernels on MiniLM's shapes, every table, against the peak.
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "quaver/kernels/kernels.h"

namespace quaver {
namespace {

constexpr size_t kWidth = 384;
constexpr size_t kInner = 1536;
constexpr size_t kHeads = 12;

struct Free {
  void operator()(float* data) const {
    ::operator delete(data, std::align_val_t{64});
  }
};
using Floats = std::unique_ptr<float, Free>;

Floats Allocate(size_t floats) {
  Floats data(static_cast<float*>(
      ::operator new(floats * sizeof(float), std::align_val_t{64})));
  std::fill_n(data.get(), floats, 0.01f);
  return data;
}

// One packed matrix that stays in cache: the arithmetic's share.
void BM_Gemm(benchmark::State& state, const Kernels* kernels, size_t N,
             size_t K) {
  const auto M = static_cast<size_t>(state.range(0));
  const DenseKernels& dense = kernels->dense;
  const Floats packed = Allocate(dense.packed_size(N, K));
  const Floats x = Allocate(M * K);
  const Floats bias = Allocate(N);
  const Floats y = Allocate(M * N);
  for (auto _ : state) {
    dense.gemm(x.get(), packed.get(), bias.get(), nullptr, M, N, K,
               Epilogue::kBias, y.get(), N);
    benchmark::ClobberMemory();
  }
  state.counters["FLOP/s"] =
      benchmark::Counter(2.0 * static_cast<double>(M * N * K),
                         benchmark::Counter::kIsIterationInvariantRate);
}

void BM_Attention(benchmark::State& state, const Kernels* kernels) {
  const auto T = static_cast<size_t>(state.range(0));
  const DenseKernels& dense = kernels->dense;
  const Floats qkv = Allocate(T * 3 * kWidth);
  const Floats scratch = Allocate(dense.attention_scratch(T, kHeads, kWidth));
  const Floats out = Allocate(T * kWidth);
  for (auto _ : state) {
    dense.attention(qkv.get(), T, kHeads, kWidth, 0, kHeads, scratch.get(),
                    out.get());
    benchmark::ClobberMemory();
  }
  state.counters["FLOP/s"] =
      benchmark::Counter(4.0 * static_cast<double>(T * T * kWidth),
                         benchmark::Counter::kIsIterationInvariantRate);
}

void BM_LayerNorm(benchmark::State& state, const Kernels* kernels) {
  constexpr size_t M = 256;
  const Floats x = Allocate(M * kWidth);
  const Floats weight = Allocate(kWidth);
  for (auto _ : state) {
    kernels->dense.layer_norm(x.get(), weight.get(), weight.get(), M, kWidth,
                              1e-12f, x.get());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(M));
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const Kernels* kernels : AvailableKernels()) {
    const std::string name = kernels->name;
    benchmark::RegisterBenchmark(("gemm_384x384/" + name).c_str(), BM_Gemm,
                                 kernels, kWidth, kWidth)
        ->Arg(1)
        ->Arg(11)
        ->Arg(256);
    benchmark::RegisterBenchmark(("gemm_384x1536/" + name).c_str(), BM_Gemm,
                                 kernels, kWidth, kInner)
        ->Arg(11)
        ->Arg(256);
    benchmark::RegisterBenchmark(("attention/" + name).c_str(), BM_Attention,
                                 kernels)
        ->Arg(11)
        ->Arg(64)
        ->Arg(256);
    benchmark::RegisterBenchmark(("layer_norm/" + name).c_str(), BM_LayerNorm,
                                 kernels);
  }
  return true;
}();

}  // namespace
}  // namespace quaver
