// See vector_format.h.
#include "quaver/index/vector_format.h"

#include <algorithm>

#include "quaver/index/vector.h"
#include "quaver/index/vector_codes.h"

namespace quaver {
namespace {

absl::Status Damaged(const Artifact& artifact, const char* tensor,
                     const std::string& what) {
  return absl::InvalidArgumentError(
      fmt::format("{}: tensor {}: {}", artifact.path(), tensor, what));
}

// False for NaN.
bool AllWithin(std::span<const float> values, float low, float high) {
  return std::all_of(values.begin(), values.end(), [&](float value) {
    return low <= value && value <= high;
  });
}

absl::Status CheckRanges(const Artifact& artifact,
                         const VectorTensors& tensors) {
  // Means of unit vectors; residuals of such, at most 2 long.
  if (!AllWithin(tensors.centroids, -1.01f, 1.01f)) {
    return Damaged(artifact, kVectorCentroids, "a number beyond [-1, 1]");
  }
  if (!AllWithin(tensors.factors, 0, 2.01f)) {
    return Damaged(artifact, kVectorFactors, "a number beyond [0, 2]");
  }
  if (!AllWithin(tensors.scales, 0, 2.01f / 127)) {
    return Damaged(artifact, kVectorScales, "a number beyond [0, 2 / 127]");
  }
  return absl::OkStatus();
}

absl::Status CheckStarts(const Artifact& artifact,
                         const VectorTensors& tensors) {
  const auto& starts = tensors.starts;
  if (starts.front() != 0 || starts.back() != tensors.N ||
      !std::is_sorted(starts.begin(), starts.end())) {
    return Damaged(artifact, kVectorStarts,
                   fmt::format("not a rising row from 0 to {}", tensors.N));
  }
  return absl::OkStatus();
}

absl::Status CheckItems(const Artifact& artifact,
                        const VectorTensors& tensors) {
  const auto items = tensors.items, slots = tensors.slots;
  for (size_t slot = 0; slot < items.size(); ++slot) {
    if (items[slot] >= slots.size() || slots[items[slot]] != slot) {
      return Damaged(
          artifact, kVectorItems,
          fmt::format("slot {} holds item {}, which {} does not give back",
                      slot, items[slot], kVectorSlots));
    }
  }
  // Each slot is now named once; every other entry must be empty.
  const auto num_named =
      std::count_if(slots.begin(), slots.end(),
                    [](uint32_t slot) { return slot != kNoSlot; });
  if (static_cast<size_t>(num_named) != items.size()) {
    return Damaged(
        artifact, kVectorSlots,
        fmt::format("{} slots for {} vectors", num_named, items.size()));
  }
  return absl::OkStatus();
}

}  // namespace

bool HasVectorTensors(const Artifact& artifact) {
  constexpr char kPrefix[] = "vector.";
  const auto first = artifact.tensors().lower_bound(kPrefix);
  return first != artifact.tensors().end() && first->first.starts_with(kPrefix);
}

absl::StatusOr<VectorTensors> ReadVectorTensors(const Artifact& artifact) {
  VectorTensors tensors;
  ASSIGN_OR_RETURN(const TensorView shape, artifact.Find(kVectorRerank));
  if (shape.shape.size() != 2 || shape.shape[1] < 1 ||
      shape.shape[1] > static_cast<int64_t>(kMaxVectorDimension) ||
      shape.shape[0] > int64_t{kMaxVectorItem} + 1) {
    return Damaged(
        artifact, kVectorRerank,
        fmt::format("must be [N, D] with D from 1 to {}", kMaxVectorDimension));
  }
  const int64_t N = shape.shape[0], D = shape.shape[1];
  tensors.N = static_cast<size_t>(N);
  tensors.D = static_cast<size_t>(D);
  const auto num_blocks = static_cast<int64_t>(NumScanBlocks(tensors.N));
  const auto num_bytes = static_cast<int64_t>(CodeBytes(tensors.D));
  constexpr auto kBlock = static_cast<int64_t>(kScanBlock);

  ASSIGN_OR_RETURN(tensors.rerank, artifact.Get<int8_t>(kVectorRerank, {N, D}));
  ASSIGN_OR_RETURN(const auto seed, artifact.Get<uint64_t>(kVectorSeed, {1}));
  tensors.seed = seed[0];
  ASSIGN_OR_RETURN(tensors.centroids,
                   artifact.Get<float>(kVectorCentroids, {-1, D}));
  tensors.L = tensors.centroids.size() / tensors.D;
  ASSIGN_OR_RETURN(tensors.starts,
                   artifact.Get<uint32_t>(
                       kVectorStarts, {static_cast<int64_t>(tensors.L) + 1}));
  ASSIGN_OR_RETURN(
      tensors.codes,
      artifact.Get<uint8_t>(kVectorCodes, {num_blocks, num_bytes, kBlock}));
  ASSIGN_OR_RETURN(tensors.factors,
                   artifact.Get<float>(kVectorFactors, {num_blocks * kBlock}));
  ASSIGN_OR_RETURN(tensors.items, artifact.Get<uint32_t>(kVectorItems, {N}));
  ASSIGN_OR_RETURN(tensors.slots, artifact.Get<uint32_t>(kVectorSlots, {-1}));
  ASSIGN_OR_RETURN(tensors.scales, artifact.Get<float>(kVectorScales, {N}));
  RETURN_IF_ERROR(CheckStarts(artifact, tensors));
  RETURN_IF_ERROR(CheckItems(artifact, tensors));
  RETURN_IF_ERROR(CheckRanges(artifact, tensors));
  return tensors;
}

}  // namespace quaver
