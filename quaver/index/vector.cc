// Reads and searches the vector index: see vector.h.
#include "quaver/index/vector.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/index/vector_codes.h"
#include "quaver/index/vector_format.h"
#include "quaver/index/vector_rotation.h"

namespace quaver {
namespace {

using Accept = std::function<bool(uint32_t item)>;

// What a list's scan computes at a time lies on the stack: 13 KiB.
constexpr size_t kBlocksPerChunk = 64;

// Rows of the rerank part are far apart and mostly not in a cache: they are
// asked for so many rows before they are read.
constexpr size_t kRowsAhead = 8;
constexpr size_t kCacheLine = 64;

struct Candidate {
  float estimate;
  float base;  // <query, centroid>
  uint32_t slot;
};

// The `keep` best estimates seen, and a few more.
class Candidates {
 public:
  explicit Candidates(size_t keep) : keep_(keep) { best_.reserve(2 * keep); }

  // What is not above it cannot be among the best.
  float threshold() const { return threshold_; }
  size_t num_added() const { return num_added_; }

  void Add(const Candidate& candidate) {
    best_.push_back(candidate);
    ++num_added_;
    if (best_.size() >= 2 * keep_) Shrink();
  }
  std::vector<Candidate> Take() {
    if (best_.size() > keep_) Shrink();
    return std::move(best_);
  }

 private:
  void Shrink() {
    const auto last = best_.begin() + static_cast<ptrdiff_t>(keep_ - 1);
    std::nth_element(best_.begin(), last, best_.end(),
                     [](const Candidate& a, const Candidate& b) {
                       return a.estimate > b.estimate;
                     });
    threshold_ = last->estimate;
    best_.resize(keep_);
  }

  size_t keep_;
  size_t num_added_ = 0;
  float threshold_ = -INFINITY;
  std::vector<Candidate> best_;
};

// A query in the forms that the stages compare.
struct RotatedQuery {
  std::vector<float> vector;   // [D], unit length; empty when there is none
  std::vector<int16_t> exact;  // [D], vector / scale
  float scale = 0;
};

}  // namespace

struct VectorIndex::Impl {
  std::shared_ptr<const Artifact> artifact;
  const Kernels& kernels;
  VectorTensors tensors;
  Rotation rotation;

  RotatedQuery Rotate(std::span<const float> query) const;
  float Base(const RotatedQuery& query, size_t list) const;
  float Exact(const RotatedQuery& query, float base, size_t slot) const;
  void PrefetchRow(size_t slot) const {
    const int8_t* row = tensors.rerank.data() + slot * tensors.D;
    for (size_t i = 0; i < tensors.D; i += kCacheLine) {
      __builtin_prefetch(row + i);
    }
  }
  size_t ListOf(size_t slot) const;
  size_t ListSize(size_t list) const {
    return tensors.starts[list + 1] - tensors.starts[list];
  }
  // (-cosine of query and centroid, list), nearest first.
  std::vector<std::pair<float, uint32_t>> RankLists(
      const RotatedQuery& query) const;
  void ScanList(const QueryTables& tables, size_t list, float base,
                const Accept& accept, Candidates& candidates) const;
  std::vector<Candidate> ScanLists(const RotatedQuery& query,
                                   const VectorParams& params,
                                   const Accept& accept) const;
};

RotatedQuery VectorIndex::Impl::Rotate(std::span<const float> query) const {
  QUAVER_CHECK(query.size() == tensors.D);
  RotatedQuery rotated;
  const float scale = InverseLength(query);
  if (scale == 0) return rotated;
  rotated.vector.assign(query.begin(), query.end());
  for (float& value : rotated.vector) value *= scale;
  rotation.Apply(rotated.vector);
  rotated.exact.resize(tensors.D);
  rotated.scale = QuantizeI16(rotated.vector, rotated.exact.data());
  return rotated;
}

float VectorIndex::Impl::Base(const RotatedQuery& query, size_t list) const {
  return kernels.scan.dot_f32(query.vector.data(),
                              tensors.centroids.data() + list * tensors.D,
                              tensors.D);
}

float VectorIndex::Impl::Exact(const RotatedQuery& query, float base,
                               size_t slot) const {
  const int32_t product = kernels.scan.dot_i16_i8(
      query.exact.data(), tensors.rerank.data() + slot * tensors.D, tensors.D);
  return base +
         static_cast<float>(product) * (query.scale * tensors.scales[slot]);
}

size_t VectorIndex::Impl::ListOf(size_t slot) const {
  const auto& starts = tensors.starts;
  return static_cast<size_t>(
             std::upper_bound(starts.begin(), starts.end(), slot) -
             starts.begin()) -
         1;
}

// Blocks on the border of two lists are scanned with each.
void VectorIndex::Impl::ScanList(const QueryTables& tables, size_t list,
                                 float base, const Accept& accept,
                                 Candidates& candidates) const {
  const size_t begin = tensors.starts[list], end = tensors.starts[list + 1];
  const size_t num_bytes = CodeBytes(tensors.D);
  const size_t last_block = NumScanBlocks(end);
  std::array<uint16_t, kBlocksPerChunk * kScanBlock> sums;
  std::array<float, kBlocksPerChunk * kScanBlock> estimates;
  std::array<uint32_t, kBlocksPerChunk> above;
  for (size_t chunk = begin / kScanBlock; chunk < last_block;
       chunk += kBlocksPerChunk) {
    const size_t num_blocks = std::min(kBlocksPerChunk, last_block - chunk);
    kernels.scan.scan_codes(
        tables.entries.data(),
        tensors.codes.data() + chunk * num_bytes * kScanBlock, num_bytes,
        num_blocks, sums.data());
    kernels.scan.estimate(sums.data(), &tensors.factors[chunk * kScanBlock],
                          num_blocks,
                          {.step = tables.step,
                           .offset = tables.offset,
                           .base = base,
                           .threshold = candidates.threshold()},
                          estimates.data(), above.data());
    for (size_t block = 0; block < num_blocks; ++block) {
      for (uint32_t bits = above[block]; bits != 0; bits &= bits - 1) {
        const size_t at =
            block * kScanBlock + static_cast<size_t>(std::countr_zero(bits));
        const size_t slot = chunk * kScanBlock + at;
        // The threshold may have risen since.
        if (slot < begin || slot >= end ||
            estimates[at] <= candidates.threshold()) {
          continue;
        }
        if (accept && !accept(tensors.items[slot])) continue;
        candidates.Add({estimates[at], base, static_cast<uint32_t>(slot)});
      }
    }
  }
}

std::vector<std::pair<float, uint32_t>> VectorIndex::Impl::RankLists(
    const RotatedQuery& query) const {
  std::vector<std::pair<float, uint32_t>> lists(tensors.L);
  for (uint32_t list = 0; list < tensors.L; ++list) {
    lists[list] = {-Base(query, list), list};
  }
  std::sort(lists.begin(), lists.end());
  return lists;
}

// The nearest lists first, so that the threshold is high early; the others
// that fill the share as they lie, which memory delivers faster; the rest only
// while too few were accepted.
std::vector<Candidate> VectorIndex::Impl::ScanLists(
    const RotatedQuery& query, const VectorParams& params,
    const Accept& accept) const {
  auto lists = RankLists(query);
  const double share = params.probe_share * static_cast<double>(tensors.N);
  size_t num_chosen = 0, num_vectors = 0;
  while (num_chosen < lists.size() &&
         (num_chosen < params.min_probes ||
          static_cast<double>(num_vectors) < share)) {
    num_vectors += ListSize(lists[num_chosen++].second);
  }
  const size_t num_first = std::min(params.min_probes, num_chosen);
  std::sort(lists.begin() + static_cast<ptrdiff_t>(num_first),
            lists.begin() + static_cast<ptrdiff_t>(num_chosen),
            [](const auto& a, const auto& b) { return a.second < b.second; });

  const QueryTables tables = BuildTables(query.vector);
  const size_t keep = std::clamp<size_t>(
      std::max(params.num_rerank, params.num_results), 1, tensors.N);
  Candidates candidates(keep);
  for (size_t i = 0; i < lists.size(); ++i) {
    if (i >= num_chosen && candidates.num_added() >= keep) break;
    ScanList(tables, lists[i].second, -lists[i].first, accept, candidates);
  }
  return candidates.Take();
}

VectorIndex::VectorIndex(std::unique_ptr<const Impl> impl)
    : impl_(std::move(impl)) {}

VectorIndex::~VectorIndex() = default;

absl::StatusOr<std::unique_ptr<const VectorIndex>> VectorIndex::Open(
    std::shared_ptr<const Artifact> artifact, const Kernels& kernels) {
  ASSIGN_OR_RETURN(const VectorTensors tensors, ReadVectorTensors(*artifact));
  std::unique_ptr<const Impl> impl(new Impl{std::move(artifact), kernels,
                                            tensors,
                                            Rotation(tensors.D, tensors.seed)});
  return std::unique_ptr<const VectorIndex>(new VectorIndex(std::move(impl)));
}

size_t VectorIndex::size() const { return impl_->tensors.N; }

size_t VectorIndex::dimension() const { return impl_->tensors.D; }

std::vector<VectorHit> VectorIndex::Search(std::span<const float> query,
                                           const VectorParams& params,
                                           const Accept& accept) const {
  const RotatedQuery rotated = impl_->Rotate(query);
  if (rotated.vector.empty() || size() == 0) return {};
  const auto candidates = impl_->ScanLists(rotated, params, accept);
  std::vector<VectorHit> hits;
  hits.reserve(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (i + kRowsAhead < candidates.size()) {
      impl_->PrefetchRow(candidates[i + kRowsAhead].slot);
    }
    const Candidate& candidate = candidates[i];
    hits.push_back({impl_->tensors.items[candidate.slot],
                    impl_->Exact(rotated, candidate.base, candidate.slot)});
  }
  const size_t num_results = std::min(params.num_results, hits.size());
  std::partial_sort(
      hits.begin(), hits.begin() + static_cast<ptrdiff_t>(num_results),
      hits.end(), [](const VectorHit& a, const VectorHit& b) {
        return a.score != b.score ? a.score > b.score : a.item < b.item;
      });
  hits.resize(num_results);
  return hits;
}

float VectorIndex::Score(std::span<const float> query, uint32_t item) const {
  float score = 0;
  Score(query, {&item, 1}, {&score, 1});
  return score;
}

void VectorIndex::Score(std::span<const float> query,
                        std::span<const uint32_t> items,
                        std::span<float> scores) const {
  QUAVER_CHECK(items.size() == scores.size());
  const RotatedQuery rotated = impl_->Rotate(query);
  const auto slot_of = [&](size_t i) {
    const auto slots = impl_->tensors.slots;
    return items[i] < slots.size() ? slots[items[i]] : kNoSlot;
  };
  for (size_t i = 0; i < items.size(); ++i) {
    if (i + kRowsAhead < items.size()) {
      const uint32_t next = slot_of(i + kRowsAhead);
      if (next != kNoSlot) impl_->PrefetchRow(next);
    }
    const uint32_t slot = slot_of(i);
    const bool scored = slot != kNoSlot && !rotated.vector.empty();
    scores[i] =
        scored ? impl_->Exact(rotated,
                              impl_->Base(rotated, impl_->ListOf(slot)), slot)
               : 0;
  }
}

bool VectorIndex::Reconstruct(uint32_t item, std::span<float> embedding) const {
  const VectorTensors& tensors = impl_->tensors;
  const size_t D = tensors.D;
  QUAVER_CHECK(embedding.size() == D);
  if (item >= tensors.slots.size() || tensors.slots[item] == kNoSlot) {
    return false;
  }
  const size_t slot = tensors.slots[item];
  const float* centroid = tensors.centroids.data() + impl_->ListOf(slot) * D;
  const int8_t* residual = tensors.rerank.data() + slot * D;
  for (size_t i = 0; i < D; ++i) {
    embedding[i] =
        centroid[i] + tensors.scales[slot] * static_cast<float>(residual[i]);
  }
  impl_->rotation.Invert(embedding);
  return true;
}

}  // namespace quaver
