// Rows of token ids, each as long as it is, and the rectangles that tensors
// are.
//
// INPUT_IDS INT64[B, T] holds B rows; ATTENTION_MASK INT64[B, T] is 1 for a
// token and 0 for padding, which ends a row. Without it all are tokens. Padding
// is dropped here: nothing is computed for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

inline constexpr char kInputIds[] = "INPUT_IDS";
inline constexpr char kAttentionMask[] = "ATTENTION_MASK";
inline constexpr char kEncoderOutput[] = "ENCODER_OUTPUT";

// Row b is ids[offsets[b] .. offsets[b + 1]).
struct TokenRows {
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets{0};  // [B + 1]

  size_t size() const { return offsets.size() - 1; }  // B
  std::span<const int32_t> row(size_t b) const {
    return std::span(ids).subspan(offsets[b], offsets[b + 1] - offsets[b]);
  }
  void Add(std::span<const int32_t> row);
};

struct TokenLimits {
  int vocab_size = 0;  // V: ids are 0 to V - 1
  int least_tokens = 1;
  int most_tokens = 0;  // of a row
};

// Of each row the tokens that it has. InvalidArgument, naming the tensor, for
// another shape than that of the ids, for a mask that is no such mask, for an
// id that is none, for a row outside the limits. `mask` may be null.
// REQUIRES: both as CheckInputs checks them.
absl::StatusOr<TokenRows> ReadTokenRows(const Tensor& ids, const Tensor* mask,
                                        const TokenLimits& limits);

// How many of each row of a mask are tokens. Errors as ReadTokenRows's.
absl::StatusOr<std::vector<size_t>> ReadMask(const Tensor& mask,
                                             const std::vector<int64_t>& shape);

// Elements of an answer's tensor: 256 MiB of floats.
inline constexpr size_t kMaxAnswer = size_t{1} << 26;

// How many elements a tensor of that shape has. InvalidArgument for more than
// kMaxAnswer. REQUIRES: dimensions of 2^31 at most.
absl::StatusOr<size_t> AnswerElements(const std::vector<int64_t>& shape);

// INPUT_IDS and ATTENTION_MASK, T the longest row's. Errors as
// AnswerElements'.
absl::StatusOr<Tensors> WriteTokenRows(const TokenRows& rows, int32_t pad_id);

}  // namespace quaver
