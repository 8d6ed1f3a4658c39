// How good and how fast a vector index is, against exact search.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "quaver/index/vector.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

// For each query, the cosine of its k-th best vector and k (fewer when there
// are fewer vectors). Reads all vectors for every query: O(Q * N * D).
struct ExactSearch {
  size_t k = 0;
  std::vector<float> kth_score;  // [Q]
};
ExactSearch SearchExactly(
    std::span<const float> vectors,  // [N, D], unit length
    std::span<const float> queries,  // [Q, D], likewise
    size_t D, size_t k, int num_threads, const Kernels& kernels);

// By query, [Q].
struct VectorMeasurement {
  // Share of the k results whose exact cosine reaches the k-th best one, to
  // 1e-6: of vectors that are equal, any will do.
  std::vector<double> recall;
  std::vector<double> microseconds;  // of Search, on the calling thread
};

// `vectors` row i is item i of the index. params.num_results is set to k.
VectorMeasurement MeasureVectorIndex(const VectorIndex& index,
                                     std::span<const float> vectors,  // [N, D]
                                     std::span<const float> queries,  // [Q, D]
                                     const ExactSearch& exact,
                                     VectorParams params,
                                     const Kernels& kernels);

}  // namespace quaver
