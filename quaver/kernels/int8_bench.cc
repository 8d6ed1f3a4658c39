// Times the int8 kernels on models' shapes, every table.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "quaver/kernels/kernels.h"

namespace quaver {
namespace {

template <typename T>
T* Aligned(std::vector<T>* buffer, size_t count) {
  buffer->resize(count + 64 / sizeof(T));
  auto address = reinterpret_cast<uintptr_t>(buffer->data());
  return reinterpret_cast<T*>((address + 63) / 64 * 64);
}

// Products of the same codes with `copies` weights in turn: one stays in the
// cache, many come from memory.
void BM_Int8(benchmark::State& state, const Int8Kernels* int8, size_t N,
             size_t K, size_t copies, Epilogue epilogue) {
  const auto M = static_cast<size_t>(state.range(0));
  const std::vector<float> x(M * K, 0.5f), weight(N * K, 0.25f), bias(N, 0.0f);
  const Int8Pack pack = PackInt8(weight.data(), bias.data(), N, K);
  std::vector<int8_t> held;
  std::vector<float> held_floats;
  const size_t size = pack.codes.size(), columns = pack.scales.size();
  int8_t* packed = Aligned(&held, size * copies);
  for (size_t i = 0; i < copies; ++i) {
    std::copy(pack.codes.begin(), pack.codes.end(), packed + i * size);
  }
  float* floats = Aligned(&held_floats, 3 * columns);
  std::vector<uint8_t> codes_held;
  uint8_t* codes = Aligned(&codes_held, (M + kInt8SpareRows) * Int8Stride(K));
  std::vector<Int8Row> rows(M);
  std::vector<float> y(M * N);
  int8->quantise(x.data(), M, K, codes, rows.data());
  size_t turn = 0;
  for (auto _ : state) {
    const Int8Weight view{packed + turn * size, floats, floats + columns,
                          floats + 2 * columns, N,      K};
    int8->gemm(codes, rows.data(), view, y.data(), M, epilogue, y.data(), N);
    turn = (turn + 1) % copies;
    benchmark::ClobberMemory();
  }
  state.counters["OP/s"] =
      benchmark::Counter(2.0 * static_cast<double>(M * N * K),
                         benchmark::Counter::kIsIterationInvariantRate);
  state.counters["B/s"] = benchmark::Counter(
      static_cast<double>(size), benchmark::Counter::kIsIterationInvariantRate);
}

void BM_Quantise(benchmark::State& state, const Int8Kernels* int8) {
  constexpr size_t M = 11, K = 1536;
  const std::vector<float> x(M * K, 0.5f);
  std::vector<uint8_t> held;
  uint8_t* codes = Aligned(&held, M * K);
  Int8Row rows[M];
  for (auto _ : state) {
    int8->quantise(x.data(), M, K, codes, rows);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(M * K));
}

[[maybe_unused]] const bool kRegistered = [] {
  struct Shape {
    size_t N, K;
    Epilogue epilogue;
  };
  constexpr Shape kShapes[] = {{384, 384, Epilogue::kBiasResidual},
                               {1536, 384, Epilogue::kBiasGelu},
                               {384, 1536, Epilogue::kBiasResidual},
                               {768, 768, Epilogue::kBias}};
  for (const Kernels* kernels : AvailableKernels()) {
    const std::string name = kernels->name;
    if (name == "scalar") continue;
    for (const Shape& shape : kShapes) {
      for (const size_t copies : {1, 40}) {
        benchmark::RegisterBenchmark(
            (std::string("int8_") + (copies == 1 ? "near/" : "far/") +
             std::to_string(shape.N) + "x" + std::to_string(shape.K) + "/" +
             name)
                .c_str(),
            BM_Int8, &kernels->int8, shape.N, shape.K, copies, shape.epilogue)
            ->Arg(1)
            ->Arg(4)
            ->Arg(11)
            ->Arg(14)
            ->Arg(32)
            ->Arg(352);
      }
    }
    benchmark::RegisterBenchmark(("quantise/" + name).c_str(), BM_Quantise,
                                 &kernels->int8);
  }
  return true;
}();

}  // namespace
}  // namespace quaver
