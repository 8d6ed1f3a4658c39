// See vector_lists.h.
#include "quaver/index/vector_lists.h"

#include <algorithm>
#include <cstdint>
#include <numeric>

#include "quaver/base/check.h"
#include "quaver/base/hash.h"
#include "quaver/base/workers.h"

namespace quaver {
namespace {

constexpr size_t kCacheLine = 64;
// Rows of one product: its result, [128, 1024] floats, stays in L2.
constexpr size_t kRowsPerProduct = 128;

// Floats at a 64-byte boundary, as packed weights must be.
class AlignedFloats {
 public:
  explicit AlignedFloats(size_t size)
      : storage_(size + kCacheLine / sizeof(float)) {}
  float* data() {
    const auto address = reinterpret_cast<uintptr_t>(storage_.data());
    const size_t skip = (kCacheLine - address % kCacheLine) % kCacheLine;
    return storage_.data() + skip / sizeof(float);
  }

 private:
  std::vector<float> storage_;
};

// Finds nearest centroids: the least |x - c|^2 is the greatest
// <x, c> - |c|^2 / 2, a product with a bias.
class Assigner {
 public:
  Assigner(std::span<const float> centroids, size_t D, const Kernels& kernels)
      : kernels_(kernels),
        D_(D),
        num_lists_(centroids.size() / D),
        packed_(kernels.dense.packed_size(num_lists_, D)),
        bias_(num_lists_) {
    kernels_.dense.pack(centroids.data(), num_lists_, D_, packed_.data());
    for (size_t list = 0; list < num_lists_; ++list) {
      const float* centroid = centroids.data() + list * D;
      bias_[list] = -0.5f * kernels_.scan.dot_f32(centroid, centroid, D);
    }
  }

  std::vector<uint32_t> Assign(std::span<const float> vectors,
                               int num_threads) {
    const size_t N = vectors.size() / D_;
    std::vector<uint32_t> list_of(N);
    const float* packed = packed_.data();
    ParallelFor(N, kRowsPerProduct, num_threads, [&](size_t begin, size_t end) {
      std::vector<float> scores((end - begin) * num_lists_);
      kernels_.dense.gemm(vectors.data() + begin * D_, packed, bias_.data(),
                          nullptr, end - begin, num_lists_, D_, Epilogue::kBias,
                          scores.data(), num_lists_);
      for (size_t row = begin; row < end; ++row) {
        const float* first = scores.data() + (row - begin) * num_lists_;
        list_of[row] = static_cast<uint32_t>(
            std::max_element(first, first + num_lists_) - first);
      }
    });
    return list_of;
  }

 private:
  const Kernels& kernels_;
  size_t D_;
  size_t num_lists_;
  AlignedFloats packed_;
  std::vector<float> bias_;  // [num_lists]
};

// `count` of [0, N), in random order.
std::vector<size_t> Sample(size_t N, size_t count, Random& random) {
  std::vector<size_t> rows(N);
  std::iota(rows.begin(), rows.end(), size_t{0});
  for (size_t i = 0; i < count; ++i) {
    std::swap(rows[i], rows[i + random.Below(N - i)]);
  }
  rows.resize(count);
  return rows;
}

// Moves centroids to the means of their lists; returns the lists without
// vectors, whose centroids stay.
std::vector<size_t> MoveToMeans(std::span<const float> vectors,
                                std::span<const uint32_t> list_of, size_t D,
                                std::vector<float>& centroids) {
  const size_t num_lists = centroids.size() / D, N = list_of.size();
  std::vector<double> sums(centroids.size());
  std::vector<size_t> counts(num_lists);
  for (size_t row = 0; row < N; ++row) {
    const float* vector = vectors.data() + row * D;
    double* sum = sums.data() + list_of[row] * D;
    for (size_t i = 0; i < D; ++i) sum[i] += vector[i];
    ++counts[list_of[row]];
  }
  std::vector<size_t> empty;
  for (size_t list = 0; list < num_lists; ++list) {
    if (counts[list] == 0) {
      empty.push_back(list);
      continue;
    }
    const double inverse = 1.0 / static_cast<double>(counts[list]);
    for (size_t i = list * D; i < (list + 1) * D; ++i) {
      centroids[i] = static_cast<float>(sums[i] * inverse);
    }
  }
  return empty;
}

}  // namespace

Lists TrainLists(std::span<const float> vectors, size_t D,
                 const ListsConfig& config, const Kernels& kernels) {
  const size_t N = vectors.size() / D, num_lists = config.num_lists;
  QUAVER_CHECK(1 <= num_lists && num_lists <= N);
  Random random(config.seed);
  const size_t sample_size = std::min(N, num_lists * kTrainingVectorsPerList);
  std::vector<float> sample;
  sample.reserve(sample_size * D);
  for (const size_t row : Sample(N, sample_size, random)) {
    const auto vector = vectors.subspan(row * D, D);
    sample.insert(sample.end(), vector.begin(), vector.end());
  }
  Lists lists;
  lists.centroids.assign(sample.begin(), sample.begin() + num_lists * D);
  for (int round = 0; round < config.training_rounds; ++round) {
    const auto list_of = Assigner(lists.centroids, D, kernels)
                             .Assign(sample, config.num_threads);
    for (const size_t list : MoveToMeans(sample, list_of, D, lists.centroids)) {
      const size_t row = random.Below(sample_size);
      std::copy_n(&sample[row * D], D, &lists.centroids[list * D]);
    }
  }
  lists.list_of =
      Assigner(lists.centroids, D, kernels).Assign(vectors, config.num_threads);
  MoveToMeans(vectors, lists.list_of, D, lists.centroids);
  return lists;
}

}  // namespace quaver
