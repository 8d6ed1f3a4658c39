// A checkpoint's tensors, found, checked and packed: what every model shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "quaver/artifact/checkpoint.h"
#include "quaver/base/status.h"
#include "quaver/engine/internal/arena.h"
#include "quaver/engine/precision.h"
#include "quaver/engine/tactics.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

// y = x W^T + b, the weight packed for what computes it.
struct Linear {
  Precision precision = Precision::kFp32;
  size_t N = 0;
  size_t K = 0;
  // kFp32's.
  const float* weight = nullptr;
  const float* bias = nullptr;  // [N]
  // kBf16's.
  Bf16Weight bf16;
  // kInt8's.
  Int8Weight int8;
  InputRange range;
  RowTactics tactics;  // of the table that it is packed for
};

struct Norm {
  const float* weight = nullptr;  // [D]
  const float* bias = nullptr;    // [D]
};

// Where a product's tensors lie; those of several are stacked: query, key,
// value.
struct LinearViews {
  std::vector<TensorView> weights;  // [N / count, K] each
  std::vector<TensorView> biases;   // [N / count] each
  size_t N = 0;
  size_t K = 0;
  Precision precision = Precision::kFp32;
  InputRange range;

  void Choose(const Precisions& precisions, const std::string& product) {
    precision = precisions.Of(product);
    range = precisions.RangeOf(product);
  }
};

struct NormViews {
  TensorView weight, bias;  // [D]
};

// Finds tensors whose names begin with `prefix`. Errors name folder and tensor:
// InvalidArgument for another shape, Unimplemented for another type than fp32,
// fp16 or bf16, NotFound.
class TensorFinder {
 public:
  // Both must outlive it.
  TensorFinder(const std::string& folder, const Checkpoint& checkpoint,
               std::string prefix)
      : folder_(folder), checkpoint_(checkpoint), prefix_(std::move(prefix)) {}

  absl::StatusOr<TensorView> Find(const std::string& name,
                                  const std::vector<int64_t>& shape) const;
  // `name`.weight and `name`.bias.
  absl::StatusOr<NormViews> FindNorm(const std::string& name, int64_t D) const;
  // The same of each name, of `outputs` rows each.
  absl::StatusOr<LinearViews> FindLinear(
      std::initializer_list<std::string> names, int64_t outputs,
      int64_t K) const;

  // Names, with the prefix, of all that was found.
  const std::set<std::string>& found() const { return found_; }

 private:
  const std::string& folder_;
  const Checkpoint& checkpoint_;
  std::string prefix_;
  mutable std::set<std::string> found_;
};

// InvalidArgument naming folder and tensor where a floating-point value is
// infinite or no number.
absl::Status CheckFinite(const std::string& folder,
                         const Checkpoint& checkpoint);

// A tensor's values in place when the file holds them as aligned fp32, else
// converted, in `converted`.
const float* InPlace(const TensorView& view,
                     std::vector<std::vector<float>>* converted);

// Copies tensors into an arena; Measure... say beforehand what that takes.
class Packer {
 public:
  // Both must outlive it.
  Packer(const Kernels& kernels, FloatArena& arena)
      : kernels_(kernels), arena_(arena) {}

  static size_t MeasureLinear(const Kernels& kernels, const LinearViews& views);
  static size_t MeasureLinear(const Kernels& kernels, size_t N, size_t K,
                              Precision precision);
  static size_t MeasureNorm(size_t D) { return 2 * FloatArena::Rounded(D); }

  Linear PackLinear(const LinearViews& views);
  Linear PackLinear(const float* weight, const float* bias, size_t N, size_t K,
                    Precision precision);
  Norm CopyNorm(const NormViews& views);
  template <typename T>
  const T* Copy(const std::vector<T>& values);

 private:
  const Kernels& kernels_;
  FloatArena& arena_;
};

}  // namespace quaver
