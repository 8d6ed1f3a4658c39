// See layer_pass.h.
#include "quaver/engine/internal/layer_pass.h"

#include <algorithm>
#include <cstring>

namespace quaver {
namespace {

// A float that is read, reckoned with and written costs as many products.
constexpr size_t kRowWork = 32;

constexpr size_t kSpareRows = std::max(kInt8SpareRows, kBf16SpareRows);

struct PieceSizes {
  size_t hidden, wide, scratch, codes, rows, summaries;  // floats

  PieceSizes(const LayerSizes& sizes, size_t num_threads)
      : hidden(sizes.M * sizes.D),
        wide(sizes.M * sizes.inner),
        scratch(num_threads * FloatArena::Rounded(sizes.scratch)),
        codes((sizes.M + kSpareRows) *
              std::max(Int8Stride(sizes.inner),
                       sizeof(uint16_t) * Bf16Stride(sizes.inner)) /
              sizeof(float)),
        rows(sizes.M * sizeof(Int8Row) / sizeof(float)),
        summaries(sizes.summaries * sizeof(RowSummary) / sizeof(float)) {}
};

size_t Floats(const LayerSizes& sizes, size_t num_threads) {
  const PieceSizes pieces(sizes, num_threads);
  return 2 * FloatArena::Rounded(pieces.hidden) +
         FloatArena::Rounded(pieces.wide) +
         FloatArena::Rounded(pieces.scratch) +
         FloatArena::Rounded(pieces.codes) + FloatArena::Rounded(pieces.rows) +
         FloatArena::Rounded(pieces.summaries);
}

uint16_t* Halves(const LayerBuffers& buffers) {
  return reinterpret_cast<uint16_t*>(buffers.codes);
}

}  // namespace

size_t LayerBuffers::Bytes(const LayerSizes& sizes, const TeamConfig& config) {
  return FloatArena::Bytes(
      Floats(sizes, static_cast<size_t>(TeamSize(config))));
}

LayerBuffers::LayerBuffers(const LayerSizes& sizes, const TeamConfig& config)
    : team(std::make_unique<Team>(config)),
      arena(Floats(sizes, team->size())),
      scratch_stride(FloatArena::Rounded(sizes.scratch)) {
  const PieceSizes pieces(sizes, team->size());
  hidden = arena.Take(pieces.hidden);
  context = arena.Take(pieces.hidden);
  wide = arena.Take(pieces.wide);
  scratch = arena.Take(pieces.scratch);
  codes = reinterpret_cast<uint8_t*>(arena.Take(pieces.codes));
  rows = reinterpret_cast<Int8Row*>(arena.Take(pieces.rows));
  summaries = reinterpret_cast<RowSummary*>(arena.Take(pieces.summaries));
  // `gemm` may read, and not use, rows that nothing was written to.
  std::memset(codes, 0, pieces.codes * sizeof(float));
}

// Reading the weights costs about as much as the products of 4 rows.
size_t LayerPass::Work(const Linear& linear) const {
  return linear.N * linear.K * (M + 4);
}

void LayerPass::Prepare(const Linear& linear, const float* x) const {
  if (buffers.observer) buffers.observer(linear, x, M);
  if (linear.precision == Precision::kFp32) return;
  const size_t K = linear.K;
  Share(M, 1, M * K * kRowWork, [&](size_t begin, size_t end, float*) {
    if (linear.precision == Precision::kBf16) {
      kernels.bf16.round(x + begin * K, end - begin, K,
                         Halves(buffers) + begin * Bf16Stride(K));
      return;
    }
    if (!linear.range.dynamic()) {
      kernels.int8.quantise_with(Int8RowOf(linear.range.low, linear.range.high),
                                 x + begin * K, end - begin, K,
                                 buffers.codes + begin * Int8Stride(K),
                                 buffers.rows + begin);
      return;
    }
    kernels.int8.quantise(x + begin * K, end - begin, K,
                          buffers.codes + begin * Int8Stride(K),
                          buffers.rows + begin);
  });
}

void LayerPass::Multiply(const Linear& linear, const float* x, size_t begin,
                         size_t end, Epilogue epilogue, const float* residual,
                         float* y, size_t stride) const {
  const size_t tactic = linear.tactics.For(M);
  if (linear.precision == Precision::kBf16) {
    const Bf16Weight& all = linear.bf16;
    const Bf16Weight part{all.halves + begin * Bf16Stride(all.K),
                          all.bias + begin, end - begin, all.K};
    kernels.bf16.tactics[tactic].gemm(Halves(buffers), part, residual, M,
                                      epilogue, y, stride);
    return;
  }
  if (linear.precision == Precision::kInt8) {
    const Int8Weight& all = linear.int8;
    const Int8Weight part{all.codes + begin * Int8Stride(all.K),
                          all.scales + begin,
                          all.sums + begin,
                          all.bias + begin,
                          end - begin,
                          all.K};
    kernels.int8.tactics[tactic].gemm(buffers.codes, buffers.rows, part,
                                      residual, M, epilogue, y, stride);
    return;
  }
  kernels.dense.tactics[tactic].gemm(
      x, linear.weight + begin * linear.K, linear.bias + begin, residual, M,
      end - begin, linear.K, epilogue, y, stride);
}

void LayerPass::MultiplyAll(const Linear& linear, const float* x,
                            Epilogue epilogue, const float* residual,
                            float* y) const {
  Share(linear.N, kSliceColumns, Work(linear),
        [&](size_t begin, size_t end, float*) {
          Multiply(linear, x, begin, end, epilogue,
                   residual == nullptr ? nullptr : residual + begin, y + begin,
                   linear.N);
        });
}

void LayerPass::Apply(const Linear& linear, const float* x, Epilogue epilogue,
                      const float* residual, float* y) const {
  Prepare(linear, x);
  MultiplyAll(linear, x, epilogue, residual, y);
}

void LayerPass::ApplyPrepared(const Linear& linear, const float* x,
                              Epilogue epilogue, float* y) const {
  MultiplyAll(linear, x, epilogue, nullptr, y);
}

void LayerPass::Normalise(const Norm& norm, const Linear* next) const {
  const bool with_codes =
      next != nullptr && next->precision == Precision::kInt8;
  const bool is_fixed = with_codes && !next->range.dynamic();
  const Int8Row fixed =
      is_fixed ? Int8RowOf(next->range.low, next->range.high) : Int8Row{};
  Share(M, 1, M * D * kRowWork, [&](size_t begin, size_t end, float*) {
    float* own = buffers.hidden + begin * D;
    if (!with_codes) {
      kernels.dense.layer_norm(own, norm.weight, norm.bias, end - begin, D,
                               epsilon, own);
      return;
    }
    kernels.dense.layer_norm_codes(own, norm.weight, norm.bias, end - begin, D,
                                   epsilon, own, is_fixed ? &fixed : nullptr,
                                   buffers.codes + begin * Int8Stride(D),
                                   buffers.rows + begin);
  });
  if (next == nullptr) return;
  if (!with_codes) return Prepare(*next, buffers.hidden);
  if (buffers.observer) buffers.observer(*next, buffers.hidden, M);
}

void LayerPass::AddAndNormalise(const Linear& linear, const float* x,
                                const Norm& norm, const Linear* next) const {
  Apply(linear, x, Epilogue::kBiasResidual, buffers.hidden, buffers.hidden);
  Normalise(norm, next);
}

}  // namespace quaver
