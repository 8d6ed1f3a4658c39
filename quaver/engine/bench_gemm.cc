// See bench.h.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>

#include "quaver/engine/bench.h"
#include "quaver/engine/internal/arena.h"

namespace quaver {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr double kSeconds = 0.1;                    // of a shape
constexpr size_t kFarBytes = size_t{64} << 20;      // of all copies of a weight
constexpr size_t kStreamBytes = size_t{256} << 20;  // beyond most caches
constexpr size_t kMaxCopies = 64;

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
    if (precision == Precision::kFp32) {
      const std::vector<float> weight(N * K, 0.25f);
      bias_ = arena_.Take(N);
      std::fill_n(bias_, N, 0.0f);
      for (size_t i = 0; i < copies; ++i) {
        float* packed = arena_.Take(kernels.dense.packed_size(N, K));
        kernels.dense.pack(weight.data(), N, K, packed);
        weights_.push_back(packed);
      }
      return;
    }
    const size_t columns = Int8Columns(N), stride = Int8Stride(K);
    codes_ = reinterpret_cast<uint8_t*>(
        arena_.Take((M + kInt8SpareRows) * stride / sizeof(float)));
    rows_.resize(M);
    bias_ = arena_.Take(columns);
    std::fill_n(bias_, columns, 0.25f);  // scales and sums, too
    std::memset(codes_, 1, (M + kInt8SpareRows) * stride);
    kernels.int8.quantise(input_, M, K, codes_, rows_.data());
    for (size_t i = 0; i < copies; ++i) {
      float* packed = arena_.Take(columns * stride / sizeof(float));
      std::memset(packed, 3, columns * stride);
      weights_.push_back(packed);
    }
  }

  void Run(size_t copy) {
    const auto& [M, N, K, precision] = shape_;
    const float* weight = weights_[copy];
    if (precision == Precision::kFp32) {
      kernels_.dense.gemm(input_, weight, bias_, nullptr, M, N, K,
                          Epilogue::kBias, output_);
      return;
    }
    const Int8Weight view{
        reinterpret_cast<const int8_t*>(weight), bias_, bias_, bias_, N, K};
    kernels_.int8.gemm(codes_, rows_.data(), view, nullptr, M, Epilogue::kBias,
                       output_);
  }

  // Median microseconds of a call.
  double Time() {
    std::vector<double> times;
    const auto end =
        SteadyClock::now() + std::chrono::duration<double>(kSeconds);
    for (size_t i = 0; times.size() < 5 || SteadyClock::now() < end; ++i) {
      const auto start = SteadyClock::now();
      Run(i % weights_.size());
      times.push_back(MicrosecondsSince(start));
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }

  static size_t WeightBytes(const Kernels& kernels, const GemmShape& shape) {
    return shape.precision == Precision::kFp32
               ? kernels.dense.packed_size(shape.N, shape.K) * sizeof(float)
               : Int8Columns(shape.N) * Int8Stride(shape.K);
  }

 private:
  static size_t Floats(const Kernels& kernels, const GemmShape& shape,
                       size_t copies) {
    const auto& [M, N, K, precision] = shape;
    const size_t weight = WeightBytes(kernels, shape) / sizeof(float);
    const size_t codes = (M + kInt8SpareRows) * Int8Stride(K) / sizeof(float);
    return FloatArena::Rounded(M * K) + FloatArena::Rounded(M * N) +
           FloatArena::Rounded(codes) + FloatArena::Rounded(Int8Columns(N)) +
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

std::vector<GemmResult> BenchGemm(const Kernels& kernels,
                                  const std::vector<GemmShape>& shapes,
                                  GemmLimits* limits) {
  limits->gbytes = StreamGbytes();
  std::vector<GemmResult> results;
  for (const GemmShape& shape : shapes) {
    const size_t bytes = Gemm::WeightBytes(kernels, shape);
    const size_t copies = std::clamp(kFarBytes / bytes, size_t{1}, kMaxCopies);
    const double us = Gemm(kernels, shape, copies).Time();
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
