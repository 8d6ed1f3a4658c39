// The vector index on disk: its tensors, shared by builder and reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "quaver/artifact/artifact.h"
#include "quaver/base/status.h"
#include "quaver/kernels/scan.h"

namespace quaver {

// N vectors of D numbers in L lists; a vector's place is its slot, numbered
// list by list. NB = NumScanBlocks(N), B = CodeBytes(D).
inline constexpr char kVectorSeed[] = "vector.seed";
inline constexpr char kVectorCentroids[] = "vector.centroids";
inline constexpr char kVectorStarts[] = "vector.starts";
inline constexpr char kVectorCodes[] = "vector.codes";
inline constexpr char kVectorFactors[] = "vector.factors";
inline constexpr char kVectorItems[] = "vector.items";
inline constexpr char kVectorSlots[] = "vector.slots";
inline constexpr char kVectorRerank[] = "vector.rerank";
inline constexpr char kVectorScales[] = "vector.scales";

inline constexpr uint32_t kNoSlot = 0xFFFFFFFF;

constexpr size_t NumScanBlocks(size_t N) {
  return (N + kScanBlock - 1) / kScanBlock;
}

struct VectorTensors {
  size_t N = 0;
  size_t D = 0;
  size_t L = 0;
  uint64_t seed = 0;                 // of the rotation
  std::span<const float> centroids;  // [L, D], rotated
  std::span<const uint32_t> starts;  // [L + 1], slots
  std::span<const uint8_t> codes;    // [NB, B, kScanBlock], see scan.h
  std::span<const float> factors;    // [NB * kScanBlock], see EncodeSigns
  std::span<const uint32_t> items;   // [N]
  std::span<const uint32_t> slots;   // [largest item + 1], or kNoSlot
  std::span<const int8_t> rerank;    // [N, D], residuals / scales
  std::span<const float> scales;     // [N]
};

// Whether it has any of them: a file with vectors that lost one must not pass
// for a file without.
bool HasVectorTensors(const Artifact& artifact);

// Checks all that a search relies on: shapes, order of the starts, items and
// slots being each other's inverse, numbers being in the range that the
// builder writes, so that no arithmetic of a search overflows.
absl::StatusOr<VectorTensors> ReadVectorTensors(const Artifact& artifact);

}  // namespace quaver
