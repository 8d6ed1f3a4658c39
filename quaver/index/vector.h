// The vector index: rotated 1-bit codes in inverted lists, exact int8 rerank.
//
// RaBitQ (Gao & Long, SIGMOD 2024): each vector's residual to its list's
// centroid is rotated at random and kept as signs with two factors; a query
// is rotated, quantised to 4 bits and compared by popcounts with an unbiased
// estimate; the best are compared again with their int8 form. One list is an
// exhaustive scan. 56 bytes a vector at D = 384, and D + 4 in the rerank part.
//
//   VectorIndexBuilder builder(D, VectorConfig{});
//   builder.Add(item, embedding);            // any order, items are u32
//   RETURN_IF_ERROR(builder.Write(writer));  // tensors "vector.*"
//   ASSIGN_OR_RETURN(auto index, VectorIndex::Open(artifact));
//   index->Search(query, params, hits);
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "quaver/artifact/artifact.h"
#include "quaver/base/status.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

struct VectorConfig {
  size_t exhaustive_below = 20'000;  // items; fewer get one list
  size_t items_per_list = 256;       // aim for the number of lists
  int training_rounds = 8;           // of k-means
  uint64_t seed = 1;                 // of the rotation and of k-means
  int num_threads = 0;               // 0: AvailableCores()
};

struct VectorParams {
  size_t num_results = 10;
  double probe_share = 0.1;  // of the lists, at least min_probes
  size_t min_probes = 8;
  size_t num_rerank = 200;  // candidates compared exactly
};

struct VectorHit {
  uint32_t item = 0;
  float score = 0;  // cosine, of the int8 form
};

// Vectors must be of unit length or are made so; zero vectors are refused.
class VectorIndexBuilder {
 public:
  VectorIndexBuilder(size_t D, VectorConfig config);
  ~VectorIndexBuilder();
  // Copies. InvalidArgument for a wrong size, a zero or a non-finite vector.
  absl::Status Add(uint32_t item, std::span<const float> embedding);  // [D]
  // Trains, encodes and adds the tensors. Deterministic for a seed.
  absl::Status Write(ArtifactWriter& writer);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Immutable, thread-safe, reads the artifact's memory in place.
class VectorIndex {
 public:
  // DataLoss or InvalidArgument naming the tensor for what does not fit.
  static absl::StatusOr<std::unique_ptr<const VectorIndex>> Open(
      std::shared_ptr<const Artifact> artifact, const Kernels& kernels);
  ~VectorIndex();

  size_t size() const;
  size_t dimension() const;

  // Best first. `accept` (may be null) drops items before the rerank; it is
  // called at most once an item and query.
  std::vector<VectorHit> Search(
      std::span<const float> query,  // [D]
      const VectorParams& params,
      const std::function<bool(uint32_t item)>& accept) const;

  // The cosine of one item's int8 form with the query, by item; 0 when the
  // item has no vector.
  float Score(std::span<const float> query, uint32_t item) const;  // [D]
  // The stored form of an item's vector, unit length; false when it has none.
  bool Reconstruct(uint32_t item, std::span<float> embedding) const;  // [D]

 private:
  struct Impl;
  explicit VectorIndex(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace quaver
