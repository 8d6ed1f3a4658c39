// Builds the vector index: see vector.h.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "quaver/base/check.h"
#include "quaver/base/workers.h"
#include "quaver/index/vector.h"
#include "quaver/index/vector_codes.h"
#include "quaver/index/vector_format.h"
#include "quaver/index/vector_lists.h"
#include "quaver/index/vector_rotation.h"

namespace quaver {

struct VectorIndexBuilder::Impl {
  size_t D;
  VectorConfig config;
  Rotation rotation;
  std::vector<uint32_t> items;
  std::vector<float> vectors;  // [N, D], unit length, rotated
};

namespace {

// Everything that is computed a slot; slots are numbered list by list.
struct Slots {
  std::vector<uint32_t> starts;  // [num_lists + 1]
  std::vector<uint32_t> items;   // [N]
  std::vector<uint32_t> rows;    // [N], of the builder's vectors
  std::vector<uint8_t> codes;    // [num_blocks, CodeBytes(D), kScanBlock]
  std::vector<float> factors;    // [num_blocks * kScanBlock]
  std::vector<int8_t> rerank;    // [N, D]
  std::vector<float> scales;     // [N]
};

// Sorts by item, so that the order of Add does not matter.
absl::Status SortByItem(size_t D, std::vector<uint32_t>& items,
                        std::vector<float>& vectors) {
  std::vector<size_t> order(items.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return items[a] < items[b]; });
  if (std::is_sorted(items.begin(), items.end())) order.clear();
  std::vector<float> sorted;
  sorted.reserve(order.size() * D);
  for (const size_t row : order) {
    const auto begin = vectors.begin() + static_cast<ptrdiff_t>(row * D);
    sorted.insert(sorted.end(), begin, begin + static_cast<ptrdiff_t>(D));
  }
  if (!order.empty()) vectors = std::move(sorted);
  std::sort(items.begin(), items.end());
  const auto twice = std::adjacent_find(items.begin(), items.end());
  if (twice == items.end()) return absl::OkStatus();
  return absl::AlreadyExistsError(
      fmt::format("item {} was added twice to the vector index", *twice));
}

// Numbers the slots: by list, then by item.
void Number(const Lists& lists, size_t num_lists,
            std::span<const uint32_t> items, Slots& slots) {
  slots.starts.assign(num_lists + 1, 0);
  for (const uint32_t list : lists.list_of) ++slots.starts[list + 1];
  std::partial_sum(slots.starts.begin(), slots.starts.end(),
                   slots.starts.begin());
  std::vector<uint32_t> next(slots.starts.begin(), slots.starts.end() - 1);
  slots.items.resize(items.size());
  slots.rows.resize(items.size());
  for (uint32_t row = 0; row < items.size(); ++row) {
    const uint32_t slot = next[lists.list_of[row]]++;
    slots.items[slot] = items[row];
    slots.rows[slot] = row;
  }
}

void EncodeSlot(std::span<const float> residual, size_t slot, Slots& slots) {
  const size_t D = residual.size(), num_bytes = CodeBytes(D);
  std::array<uint8_t, CodeBytes(kMaxVectorDimension)> code;
  slots.factors[slot] = EncodeSigns(residual, code.data());
  uint8_t* block =
      slots.codes.data() + slot / kScanBlock * num_bytes * kScanBlock;
  for (size_t b = 0; b < num_bytes; ++b) {
    block[b * kScanBlock + slot % kScanBlock] = code[b];
  }
  slots.scales[slot] = QuantizeI8(residual, slots.rerank.data() + slot * D);
}

void Encode(std::span<const float> vectors, const Lists& lists, size_t D,
            int num_threads, Slots& slots) {
  const size_t N = slots.items.size();
  const size_t num_blocks = NumScanBlocks(N);
  slots.codes.resize(num_blocks * kScanBlock * CodeBytes(D));
  slots.factors.resize(num_blocks * kScanBlock);
  slots.rerank.resize(N * D);
  slots.scales.resize(N);
  // Threads write whole blocks.
  ParallelFor(N, 16 * kScanBlock, num_threads, [&](size_t begin, size_t end) {
    std::vector<float> residual(D);
    for (size_t slot = begin; slot < end; ++slot) {
      const size_t row = slots.rows[slot];
      const float* vector = vectors.data() + row * D;
      const float* centroid = &lists.centroids[lists.list_of[row] * D];
      for (size_t i = 0; i < D; ++i) residual[i] = vector[i] - centroid[i];
      EncodeSlot(residual, slot, slots);
    }
  });
}

// The slot of each item.
std::vector<uint32_t> Invert(std::span<const uint32_t> items) {
  if (items.empty()) return {};
  const uint32_t largest = *std::max_element(items.begin(), items.end());
  std::vector<uint32_t> slot_of(size_t{largest} + 1, kNoSlot);
  for (uint32_t slot = 0; slot < items.size(); ++slot) {
    slot_of[items[slot]] = slot;
  }
  return slot_of;
}

void AddTensors(const Slots& slots, std::span<const float> centroids, size_t D,
                uint64_t seed, ArtifactWriter& writer) {
  const auto size = [](size_t value) { return static_cast<int64_t>(value); };
  const size_t N = slots.items.size();
  writer.Add(kVectorSeed, std::vector<uint64_t>{seed});
  writer.Add(kVectorCentroids, {size(centroids.size() / D), size(D)},
             centroids);
  writer.Add(kVectorStarts, slots.starts);
  writer.Add(kVectorCodes,
             {size(NumScanBlocks(N)), size(CodeBytes(D)), size(kScanBlock)},
             std::span<const uint8_t>(slots.codes));
  writer.Add(kVectorFactors, slots.factors);
  writer.Add(kVectorItems, slots.items);
  writer.Add(kVectorSlots, Invert(slots.items));
  writer.Add(kVectorRerank, {size(N), size(D)},
             std::span<const int8_t>(slots.rerank));
  writer.Add(kVectorScales, slots.scales);
}

size_t NumLists(size_t N, const VectorConfig& config) {
  if (N < config.exhaustive_below) return std::min<size_t>(N, 1);
  return std::clamp<size_t>(N / config.items_per_list, 1, N);
}

}  // namespace

VectorIndexBuilder::VectorIndexBuilder(size_t D, VectorConfig config)
    : impl_(new Impl{D, config, Rotation(D, config.seed), {}, {}}) {
  QUAVER_CHECK(1 <= D && D <= kMaxVectorDimension);
  QUAVER_CHECK(config.items_per_list > 0 && config.training_rounds >= 0);
}

VectorIndexBuilder::~VectorIndexBuilder() = default;

size_t VectorIndexBuilder::size() const { return impl_->items.size(); }

absl::Status VectorIndexBuilder::Add(uint32_t item,
                                     std::span<const float> embedding) {
  const size_t D = impl_->D;
  if (embedding.size() != D) {
    return absl::InvalidArgumentError(
        fmt::format("item {}: a vector of {} numbers, the index takes {}", item,
                    embedding.size(), D));
  }
  if (item > kMaxVectorItem) {
    return absl::InvalidArgumentError(
        fmt::format("item {}: the vector index takes items up to {}", item,
                    kMaxVectorItem));
  }
  const float scale = InverseLength(embedding);
  if (scale == 0) {
    return absl::InvalidArgumentError(fmt::format(
        "item {}: its vector is zero, not finite or out of range", item));
  }
  impl_->items.push_back(item);
  for (const float value : embedding) impl_->vectors.push_back(value * scale);
  impl_->rotation.Apply(std::span(impl_->vectors).last(D));
  return absl::OkStatus();
}

absl::Status VectorIndexBuilder::Write(ArtifactWriter& writer) {
  const size_t D = impl_->D, N = impl_->items.size();
  const VectorConfig& config = impl_->config;
  RETURN_IF_ERROR(SortByItem(D, impl_->items, impl_->vectors));

  ListsConfig lists_config;
  lists_config.num_lists = NumLists(N, config);
  lists_config.training_rounds = config.training_rounds;
  lists_config.seed = config.seed;
  lists_config.num_threads =
      config.num_threads > 0 ? config.num_threads : AvailableCores();
  const Lists lists =
      N == 0 ? Lists{}
             : TrainLists(impl_->vectors, D, lists_config, BestKernels());
  Slots slots;
  Number(lists, lists_config.num_lists, impl_->items, slots);
  Encode(impl_->vectors, lists, D, lists_config.num_threads, slots);
  AddTensors(slots, lists.centroids, D, config.seed, writer);
  return absl::OkStatus();
}

}  // namespace quaver
