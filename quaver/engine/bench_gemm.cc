// See bench.h.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <numeric>

#include "quaver/engine/bench.h"
#include "quaver/engine/internal/arena.h"
#include "quaver/engine/tactics.h"

namespace quaver {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr double kSeconds = 0.1;                    // of a shape
constexpr size_t kFarBytes = size_t{64} << 20;      // of all copies of a weight
constexpr size_t kStreamBytes = size_t{256} << 20;  // beyond most caches
constexpr size_t kMaxCopies = 64;
constexpr size_t kLeastCalls = 3;
constexpr double kTacticSeconds = 2e-3;  // of one in a round

double MicrosecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double, std::micro>(SteadyClock::now() - start)
      .count();
}

// A product and copies of its weight.
class Gemm {
 public:
  Gemm(const Kernels& kernels, const GemmShape& shape, size_t copies)
      : kernels_(kernels),
        shape_(shape),
        arena_(Floats(kernels, shape, copies)) {
    const auto& [M, N, K, precision] = shape;
    input_ = arena_.Take(M * K);
    output_ = arena_.Take(M * N);
    std::fill_n(input_, M * K, 0.5f);
    bias_ = arena_.Take(Int8Columns(N));
    std::fill_n(bias_, Int8Columns(N), 0.25f);  // scales and sums, too
    codes_ = reinterpret_cast<uint8_t*>(arena_.Take(CodeFloats(shape)));
    std::memset(codes_, 1, CodeFloats(shape) * sizeof(float));
    rows_.resize(M);
    if (precision == Precision::kInt8) {
      kernels.int8.quantise(input_, M, K, codes_, rows_.data());
    } else if (precision == Precision::kBf16) {
      kernels.bf16.round(input_, M, K, reinterpret_cast<uint16_t*>(codes_));
    }
    // Small numbers in each form.
    const int byte = precision == Precision::kInt8 ? 3 : 0x3C;
    const size_t bytes = WeightBytes(kernels, shape);
    for (size_t i = 0; i < copies; ++i) {
      float* packed = arena_.Take(bytes / sizeof(float));
      std::memset(packed, byte, bytes);
      weights_.push_back(packed);
    }
  }

  // In the way that is `tactic`'s.
  void Run(size_t copy, size_t tactic = 0) {
    const auto& [M, N, K, precision] = shape_;
    const float* weight = weights_[copy];
    if (precision == Precision::kFp32) {
      kernels_.dense.tactics[tactic].gemm(input_, weight, bias_, nullptr, M, N,
                                          K, Epilogue::kBias, output_, N);
      return;
    }
    if (precision == Precision::kBf16) {
      kernels_.bf16.tactics[tactic].gemm(
          reinterpret_cast<const uint16_t*>(codes_),
          {reinterpret_cast<const uint16_t*>(weight), bias_, N, K}, nullptr, M,
          Epilogue::kBias, output_, N);
      return;
    }
    const Int8Weight view{
        reinterpret_cast<const int8_t*>(weight), bias_, bias_, bias_, N, K};
    kernels_.int8.tactics[tactic].gemm(codes_, rows_.data(), view, nullptr, M,
                                       Epilogue::kBias, output_, N);
  }

  // Median microseconds of a call.
  double Time() {
    std::vector<double> times;
    const auto end =
        SteadyClock::now() + std::chrono::duration<double>(kSeconds);
    for (size_t i = 0; times.size() < kLeastCalls || SteadyClock::now() < end;
         ++i) {
      const auto start = SteadyClock::now();
      Run(i % weights_.size());
      times.push_back(MicrosecondsSince(start));
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }

  static size_t WeightBytes(const Kernels& kernels, const GemmShape& shape) {
    switch (shape.precision) {
      case Precision::kBf16:
        return Bf16Columns(shape.N) * Bf16Stride(shape.K) * sizeof(uint16_t);
      case Precision::kInt8:
        return Int8Columns(shape.N) * Int8Stride(shape.K);
      default:
        return kernels.dense.packed_size(shape.N, shape.K) * sizeof(float);
    }
  }

 private:
  // Of a product's input, whatever its form.
  static size_t CodeFloats(const GemmShape& shape) {
    const size_t bytes =
        std::max(Int8Stride(shape.K), Bf16Stride(shape.K) * sizeof(uint16_t));
    return (shape.M + std::max(kInt8SpareRows, kBf16SpareRows)) * bytes /
           sizeof(float);
  }
  static size_t Floats(const Kernels& kernels, const GemmShape& shape,
                       size_t copies) {
    const auto& [M, N, K, precision] = shape;
    const size_t weight = WeightBytes(kernels, shape) / sizeof(float);
    return FloatArena::Rounded(M * K) + FloatArena::Rounded(M * N) +
           FloatArena::Rounded(CodeFloats(shape)) +
           FloatArena::Rounded(Int8Columns(N)) +
           copies * FloatArena::Rounded(weight);
  }

  const Kernels& kernels_;
  const GemmShape shape_;
  FloatArena arena_;
  float* input_ = nullptr;
  float* output_ = nullptr;
  float* bias_ = nullptr;
  uint8_t* codes_ = nullptr;
  std::vector<Int8Row> rows_;
  std::vector<const float*> weights_;
};

double Gops(const GemmShape& shape, double us) {
  return 2e-3 * static_cast<double>(shape.M * shape.N * shape.K) / us;
}

// So many that a weight comes from beyond the second-level cache.
size_t NumCopies(size_t bytes) {
  return std::clamp(kFarBytes / bytes, size_t{1}, kMaxCopies);
}

// Bytes a core reads, 10^9 a second.
double StreamGbytes() {
  std::vector<uint64_t> data(kStreamBytes / sizeof(uint64_t), 1);
  double best = 0;
  volatile uint64_t kept = 0;
  for (int i = 0; i < 5; ++i) {
    const auto start = SteadyClock::now();
    kept = kept + std::accumulate(data.begin(), data.end(), uint64_t{0});
    best = std::max(best, 1e-3 * static_cast<double>(kStreamBytes) /
                              MicrosecondsSince(start));
  }
  return best;
}

}  // namespace

std::vector<double> MeasureTactics(const Kernels& kernels,
                                   const GemmShape& shape, int num_rounds) {
  const size_t bytes = Gemm::WeightBytes(kernels, shape);
  const size_t copies = NumCopies(bytes);
  Gemm gemm(kernels, shape, copies);
  const size_t count = TacticNames(kernels, shape.precision).size();
  const auto rounds = static_cast<size_t>(num_rounds);
  const std::chrono::duration<double> budget(
      kTacticSeconds * static_cast<double>(rounds * count));
  std::vector<std::vector<double>> times(count);
  size_t copy = 0;
  const auto end = SteadyClock::now() + budget;
  while (times[0].size() < kLeastCalls * rounds || SteadyClock::now() < end) {
    for (size_t tactic = 0; tactic < count; ++tactic) {
      // What another way leaves behind costs the first call up to a tenth.
      gemm.Run(copy++ % copies, tactic);
      const auto start = SteadyClock::now();
      gemm.Run(copy++ % copies, tactic);
      times[tactic].push_back(MicrosecondsSince(start));
    }
  }
  std::vector<double> quartiles;
  for (std::vector<double>& one : times) {
    const auto quartile =
        one.begin() + static_cast<std::ptrdiff_t>(one.size() / 4);
    std::nth_element(one.begin(), quartile, one.end());
    quartiles.push_back(*quartile);
  }
  return quartiles;
}

std::vector<GemmResult> BenchGemm(const Kernels& kernels,
                                  const std::vector<GemmShape>& shapes,
                                  GemmLimits* limits) {
  limits->gbytes = StreamGbytes();
  std::vector<GemmResult> results;
  for (const GemmShape& shape : shapes) {
    const size_t bytes = Gemm::WeightBytes(kernels, shape);
    const double us = Gemm(kernels, shape, NumCopies(bytes)).Time();
    const double gbytes = 1e-3 * static_cast<double>(bytes) / us;
    results.push_back({shape, us, Gops(shape, us), gbytes, 0});
    double& peak = limits->gops[static_cast<size_t>(shape.precision)];
    peak = std::max(peak, Gops(shape, Gemm(kernels, shape, 1).Time()));
    limits->gbytes = std::max(limits->gbytes, gbytes);
  }
  for (GemmResult& one : results) {
    const auto& [M, N, K, precision] = one.shape;
    const double ops_us = 2e-3 * static_cast<double>(M * N * K) /
                          limits->gops[static_cast<size_t>(precision)];
    const auto bytes =
        static_cast<double>(Gemm::WeightBytes(kernels, one.shape));
    one.roofline_us = std::max(ops_us, 1e-3 * bytes / limits->gbytes);
  }
  return results;
}

}  // namespace quaver
