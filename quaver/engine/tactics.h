// Which of a table's ways computes a product, by the product's rows.
//
//   RowTactics tactics = table.Of({Precision::kInt8, N, K});
//   kernels.int8.tactics[tactics.For(M)].gemm(...);
//
// All ways give the same bits (kernels/int8.h, dense.h), so a choice changes
// how long a product takes and nothing else.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/engine/precision.h"
#include "quaver/kernels/kernels.h"

namespace quaver {

// Buckets of rows end at 1, 2, 3, 4, 6, 8, 12, 16, ... 384; the last holds 512
// and all above.
inline constexpr size_t kRowBuckets = 18;

// REQUIRES: M > 0.
constexpr size_t RowBucket(size_t M) {
  const size_t last = M - 1;
  if (last < 2) return last;
  const auto width = static_cast<size_t>(std::bit_width(last));
  const size_t bucket = 2 * (width - 1) + (last >> (width - 2) & 1);
  return bucket < kRowBuckets ? bucket : kRowBuckets - 1;
}

// The most rows of a bucket; 512 of the last.
constexpr size_t BucketRows(size_t bucket) {
  if (bucket < 2) return bucket + 1;
  const size_t half = size_t{1} << (bucket / 2);
  return bucket % 2 == 1 ? 2 * half : half + half / 2;
}

// Indices into a table's tactics; 0, the standard, where nothing was chosen.
struct RowTactics {
  std::array<uint8_t, kRowBuckets> of{};

  size_t For(size_t M) const { return of[RowBucket(M)]; }
  friend bool operator==(const RowTactics&, const RowTactics&) = default;
};

// Names of the ways that `kernels` knows for a precision, the standard first.
std::vector<std::string> TacticNames(const Kernels& kernels,
                                     Precision precision);

// What this machine is to measurements: model name with family, model and
// stepping, caches and instruction sets, "NAME 6-143-8; L1 48K L2 2048K L3
// 32768K; avx2 avx512". The same in every run.
const std::string& ProcessorKey();

struct ProductShape {
  Precision precision = Precision::kFp32;
  size_t N = 0;
  size_t K = 0;

  friend auto operator<=>(const ProductShape&, const ProductShape&) = default;
};

// Key of a plan's metadata, a table's name behind it: TacticTable's text.
inline constexpr char kPlanTactics[] = "tactics.";

// The choices for one table on one processor.
class TacticTable {
 public:
  explicit TacticTable(std::string processor = "")
      : processor_(std::move(processor)) {}

  const std::string& processor() const { return processor_; }
  void Set(const ProductShape& shape, const RowTactics& tactics) {
    tactics_[shape] = tactics;
  }
  // All standard where nothing is known.
  RowTactics Of(const ProductShape& shape) const;

  // As plans hold it: the processor's key, then a line a shape, "int8 1152x384
  // 1=avx512_vnni.far 16=amx", with what is not standard by buckets' rows.
  std::string Text(const Kernels& kernels) const;
  // Names that `kernels` does not know become the standard. InvalidArgument,
  // naming the line, for what Text does not write.
  static absl::StatusOr<TacticTable> Parse(const std::string& text,
                                           const Kernels& kernels);

 private:
  std::string processor_;
  std::map<ProductShape, RowTactics> tactics_;
};

}  // namespace quaver
