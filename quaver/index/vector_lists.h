// k-means: splits vectors into lists around centroids.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quaver/kernels/kernels.h"

namespace quaver {

struct ListsConfig {
  size_t num_lists = 1;
  int training_rounds = 8;
  uint64_t seed = 1;
  int num_threads = 1;
};

struct Lists {
  std::vector<float> centroids;   // [num_lists, D]
  std::vector<uint32_t> list_of;  // [N], the nearest centroid's
};

// Trains on a sample of at most kTrainingVectorsPerList a list, then assigns
// all. The result depends on vectors, config and table, not on the threads.
// Costs about 2 * D * num_lists * (N + rounds * sample) operations. Lists may
// be empty. REQUIRES: 1 <= num_lists <= N.
inline constexpr size_t kTrainingVectorsPerList = 64;
Lists TrainLists(std::span<const float> vectors,  // [N, D]
                 size_t D, const ListsConfig& config, const Kernels& kernels);

}  // namespace quaver
