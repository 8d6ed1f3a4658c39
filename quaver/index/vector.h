// The vector index: rotated 1-bit codes in inverted lists, int8 rerank.
//
// RaBitQ (Gao & Long, SIGMOD 2024): each vector's residual to its list's
// centroid is rotated at random and kept as signs with a factor; tables of a
// rotated query's products with half bytes of codes give an unbiased estimate
// of every cosine; the best are compared again with their int8 form. One list
// is an exhaustive scan. 56 bytes a vector at D = 384 are read by a scan, 4
// find a vector by its item, D + 4 are the rerank part.
//
//   VectorIndexBuilder builder(D, VectorConfig{});
//   RETURN_IF_ERROR(builder.Add(item, embedding));  // any order
//   RETURN_IF_ERROR(builder.Write(writer));         // tensors "vector.*"
//   ASSIGN_OR_RETURN(auto index, VectorIndex::Open(artifact, BestKernels()));
//   index->Search(query, VectorParams{}, nullptr);
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "quaver/artifact/artifact.h"
#include "quaver/base/status.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

inline constexpr size_t kMaxVectorDimension = 2048;
// Of items: the map from items takes 4 bytes for each number up to the largest.
inline constexpr uint32_t kMaxVectorItem = (1u << 28) - 1;

struct VectorConfig {
  size_t exhaustive_below = 20'000;  // items; fewer get one list
  size_t items_per_list = 1024;      // aim for the number of lists
  int training_rounds = 8;           // of k-means
  uint64_t seed = 1;                 // of the rotation and of k-means
  int num_threads = 0;               // 0: AvailableCores()
};

// Lists are visited by falling cosine of query and centroid, until at least
// min_probes of them, probe_share of the vectors, and num_rerank accepted
// vectors were seen: a filter that refuses much widens the search, in the
// limit to all lists. Short texts cluster little, so a small share is for
// catalogues of many millions. On 258,138 embedded names and descriptions,
// 1,000 queries, recall@10 of the int8 forms: 0.993 by default; 0.996 at a
// share of 0.9 with 300 reranked, which is 0.991 of the fp32 vectors.
struct VectorParams {
  size_t num_results = 10;
  double probe_share = 0.8;  // of the vectors
  size_t min_probes = 8;     // lists
  size_t num_rerank = 250;   // candidates compared by their int8 form
};

struct VectorHit {
  uint32_t item = 0;
  float score = 0;  // cosine, of the int8 form
};

// Collects vectors, then builds. Holds 4 * D bytes a vector. Not thread-safe.
class VectorIndexBuilder {
 public:
  // REQUIRES: 1 <= D <= kMaxVectorDimension.
  VectorIndexBuilder(size_t D, VectorConfig config);
  ~VectorIndexBuilder();
  // Copies, and scales to unit length. InvalidArgument, naming the item, for a
  // wrong size, a zero or a non-finite vector, an item above kMaxVectorItem.
  absl::Status Add(uint32_t item, std::span<const float> embedding);  // [D]
  size_t size() const;
  // Trains, encodes and adds the tensors. The same for a seed and a kernel
  // table, whatever the order of Add and the threads. AlreadyExists for an
  // item that was added twice. Call once.
  absl::Status Write(ArtifactWriter& writer);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Immutable, thread-safe, reads the artifact's memory in place.
class VectorIndex {
 public:
  // InvalidArgument naming the tensor for what does not fit; costs one read of
  // everything but codes and the rerank part. `kernels` must outlive it.
  static absl::StatusOr<std::unique_ptr<const VectorIndex>> Open(
      std::shared_ptr<const Artifact> artifact, const Kernels& kernels);
  ~VectorIndex();

  size_t size() const;
  size_t dimension() const;

  // Best first, equals by item. `accept` (may be null) drops items before the
  // rerank; it is called at most once an item and query, and only for items
  // that would be reranked. Nothing is found for a zero or non-finite query.
  // REQUIRES: query.size() == dimension(), here and below.
  std::vector<VectorHit> Search(
      std::span<const float> query,  // [D], of any length
      const VectorParams& params,
      const std::function<bool(uint32_t item)>& accept) const;

  // The cosine of an item's int8 form with the query, as Search gives it; 0
  // when the item has no vector. One call for many items costs much less.
  float Score(std::span<const float> query, uint32_t item) const;  // [D]
  void Score(std::span<const float> query,                         // [D]
             std::span<const uint32_t> items,
             std::span<float> scores) const;  // [items.size()]
  // The stored form of an item's vector, unit length to a percent; false when
  // it has none.
  bool Reconstruct(uint32_t item, std::span<float> embedding) const;  // [D]

 private:
  struct Impl;
  explicit VectorIndex(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace quaver
