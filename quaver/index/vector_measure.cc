// See vector_measure.h.
#include "quaver/index/vector_measure.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "quaver/base/workers.h"

namespace quaver {
namespace {

// fp32 sums of two orders differ by less.
constexpr float kTie = 1e-6f;

double MicrosecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(
             std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

ExactSearch SearchExactly(std::span<const float> vectors,
                          std::span<const float> queries, size_t D, size_t k,
                          int num_threads, const Kernels& kernels) {
  const size_t N = vectors.size() / D, Q = queries.size() / D;
  ExactSearch exact{std::min(k, N), std::vector<float>(Q)};
  if (exact.k == 0) return exact;
  ParallelFor(Q, 8, num_threads, [&](size_t begin, size_t end) {
    std::vector<float> scores(N);
    for (size_t query = begin; query < end; ++query) {
      for (size_t row = 0; row < N; ++row) {
        scores[row] =
            kernels.scan.dot_f32(&queries[query * D], &vectors[row * D], D);
      }
      const auto kth = scores.begin() + static_cast<ptrdiff_t>(exact.k - 1);
      std::nth_element(scores.begin(), kth, scores.end(), std::greater<>());
      exact.kth_score[query] = *kth;
    }
  });
  return exact;
}

VectorMeasurement MeasureVectorIndex(const VectorIndex& index,
                                     std::span<const float> vectors,
                                     std::span<const float> queries,
                                     const ExactSearch& exact,
                                     VectorParams params,
                                     const Kernels& kernels) {
  const size_t D = index.dimension(), Q = exact.kth_score.size();
  params.num_results = exact.k;
  VectorMeasurement measured;
  for (size_t i = 0; i < Q; ++i) {
    const auto query = queries.subspan(i * D, D);
    const auto start = std::chrono::steady_clock::now();
    const std::vector<VectorHit> hits = index.Search(query, params, nullptr);
    measured.microseconds.push_back(MicrosecondsSince(start));
    const auto num_right =
        std::count_if(hits.begin(), hits.end(), [&](const VectorHit& hit) {
          return kernels.scan.dot_f32(query.data(), &vectors[hit.item * D],
                                      D) >= exact.kth_score[i] - kTie;
        });
    measured.recall.push_back(
        static_cast<double>(num_right) /
        static_cast<double>(std::max<size_t>(1, exact.k)));
  }
  return measured;
}

}  // namespace quaver
