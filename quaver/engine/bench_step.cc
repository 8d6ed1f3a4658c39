// See call_steps.h.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

#include "quaver/engine/bench.h"
#include "quaver/engine/call_steps.h"
#include "quaver/engine/internal/arena.h"
#include "quaver/engine/internal/logit_summary.h"

namespace quaver {
namespace {

using Kind = CallStep::Kind;
using SteadyClock = std::chrono::steady_clock;

// What a step reads and writes.
class StepRun {
 public:
  StepRun(const Kernels& kernels, const CallStep& step)
      : kernels_(kernels),
        step_(step),
        arena_(FloatArena::Rounded(InputFloats(step)) +
               FloatArena::Rounded(OutputFloats(step)) +
               FloatArena::Rounded(ScratchFloats(kernels, step))),
        input_(arena_.Take(InputFloats(step))),
        output_(arena_.Take(OutputFloats(step))),
        scratch_(arena_.Take(ScratchFloats(kernels, step))),
        weights_(step.N, 0.5f),
        rows_(step.M) {
    for (size_t i = 0; i < InputFloats(step); ++i) {
      input_[i] = static_cast<float>(i % 7) - 3;
    }
  }

  void operator()() {
    switch (step_.kind) {
      case Kind::kNorm:
        return Normalise();
      case Kind::kRounding:
        return Round();
      case Kind::kAttention:
        kernels_.dense.attention(input_, step_.M, step_.num_heads, step_.N, 0,
                                 step_.num_heads, scratch_, output_);
        return;
      case Kind::kRowAttention:
        return Attend();
      default:
        return Summarise();
    }
  }

 private:
  void Normalise() {
    constexpr float kEpsilon = 1e-5f;
    const auto M = step_.M, D = step_.N;
    if (step_.precision != Precision::kInt8) {
      kernels_.dense.layer_norm(input_, weights_.data(), weights_.data(), M, D,
                                kEpsilon, output_);
      return;
    }
    const Int8Row fixed = Int8RowOf(step_.range.low, step_.range.high);
    auto* codes =
        reinterpret_cast<uint8_t*>(output_ + FloatArena::Rounded(M * D));
    kernels_.dense.layer_norm_codes(
        input_, weights_.data(), weights_.data(), M, D, kEpsilon, output_,
        step_.range.dynamic() ? nullptr : &fixed, codes, rows_.data());
  }

  void Round() {
    const auto M = step_.M, K = step_.K;
    if (step_.precision == Precision::kBf16) {
      kernels_.bf16.round(input_, M, K, reinterpret_cast<uint16_t*>(output_));
      return;
    }
    auto* codes = reinterpret_cast<uint8_t*>(output_);
    if (step_.range.dynamic()) {
      kernels_.int8.quantise(input_, M, K, codes, rows_.data());
      return;
    }
    kernels_.int8.quantise_with(Int8RowOf(step_.range.low, step_.range.high),
                                input_, M, K, codes, rows_.data());
  }

  void Attend() {
    const size_t M = step_.M, D = step_.N;
    const float* keys = input_ + M * D;
    for (size_t m = 0; m < M; ++m) {
      kernels_.dense.attend_row(input_ + m * D, keys, keys + D, 2 * D, nullptr,
                                M, step_.num_heads, D, scratch_,
                                output_ + m * D);
    }
  }

  // A block's logits are there while it is summarised, as in a call.
  void Summarise() {
    for (size_t begin = 0; begin < step_.K; begin += kSummaryColumns) {
      const size_t columns = std::min(step_.K - begin, kSummaryColumns);
      for (size_t m = 0; m < step_.M; ++m) {
        output_[m] =
            kernels_.dense.summarise(input_ + m * columns, columns).sum;
      }
    }
  }

  static size_t InputFloats(const CallStep& step) {
    if (step.kind == Kind::kSummary) {
      return step.M * std::min(step.K, kSummaryColumns);
    }
    // Queries, then keys and values side by side.
    return step.M * (step.kind == Kind::kRowAttention ? 3 * step.N : step.K);
  }
  static size_t OutputFloats(const CallStep& step) {
    // Rows, and a norm's codes behind them.
    return FloatArena::Rounded(step.M * step.N) + step.M * Int8Stride(step.N);
  }
  static size_t ScratchFloats(const Kernels& kernels, const CallStep& step) {
    if (step.kind == Kind::kAttention) {
      return kernels.dense.attention_scratch(step.M, step.num_heads, step.N);
    }
    return kernels.dense.attend_row_scratch(step.M);
  }

  const Kernels& kernels_;
  const CallStep& step_;
  FloatArena arena_;
  float* input_;
  float* output_;
  float* scratch_;
  std::vector<float> weights_;  // [N], a norm's
  std::vector<Int8Row> rows_;   // [M]
};

double LowerQuartileUs(StepRun& run, int num_rounds) {
  constexpr double kRoundSeconds = 2e-3;
  constexpr size_t kLeastCalls = 8;
  std::vector<double> times;
  const auto end = SteadyClock::now() +
                   std::chrono::duration<double>(kRoundSeconds * num_rounds);
  run();  // what it reads comes into the cache
  while (times.size() < kLeastCalls || SteadyClock::now() < end) {
    const auto start = SteadyClock::now();
    run();
    times.push_back(
        std::chrono::duration<double, std::micro>(SteadyClock::now() - start)
            .count());
  }
  const auto quartile =
      times.begin() + static_cast<std::ptrdiff_t>(times.size() / 4);
  std::nth_element(times.begin(), quartile, times.end());
  return *quartile;
}

}  // namespace

std::optional<double> MeasureStep(const Kernels& kernels, const CallStep& step,
                                  int num_rounds) {
  if (KernelOf(kernels, step).empty()) return std::nullopt;
  if (step.kind == Kind::kProduct) {
    const GemmShape shape = {step.M, step.N, step.K, step.precision};
    return MeasureTactics(kernels, shape, num_rounds)[step.tactics.For(step.M)];
  }
  StepRun run(kernels, step);
  return LowerQuartileUs(run, num_rounds);
}

}  // namespace quaver
