// See token_rows.h.
#include "quaver/backends/internal/token_rows.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

// A shape with an empty dimension costs a request nothing, however many rows
// it claims.
constexpr int64_t kMaxRows = int64_t{1} << 20;

absl::Status CheckNumRows(const Tensor& tensor) {
  if (tensor.shape[0] <= kMaxRows) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("input '{}' has {} rows; at most {} are taken", tensor.name,
                  tensor.shape[0], kMaxRows));
}

}  // namespace

void TokenRows::Add(std::span<const int32_t> row) {
  ids.insert(ids.end(), row.begin(), row.end());
  offsets.push_back(static_cast<uint32_t>(ids.size()));
}

absl::StatusOr<std::vector<size_t>> ReadMask(
    const Tensor& mask, const std::vector<int64_t>& shape) {
  RETURN_IF_ERROR(CheckNumRows(mask));
  if (mask.shape != shape) {
    return absl::InvalidArgumentError(
        fmt::format("input '{}' has shape [{}]; expected [{}]", mask.name,
                    fmt::join(mask.shape, ","), fmt::join(shape, ",")));
  }
  const std::vector<int64_t> values = ValuesOf<int64_t>(mask);
  const auto T = static_cast<size_t>(shape[1]);
  std::vector<size_t> sizes(static_cast<size_t>(shape[0]));
  for (size_t b = 0; b < sizes.size(); ++b) {
    const auto row = std::span(values).subspan(b * T, T);
    const auto padding = std::find(row.begin(), row.end(), 0);
    sizes[b] = static_cast<size_t>(padding - row.begin());
    if (!std::all_of(row.begin(), padding, [](int64_t v) { return v == 1; }) ||
        !std::all_of(padding, row.end(), [](int64_t v) { return v == 0; })) {
      return absl::InvalidArgumentError(fmt::format(
          "row {} of input '{}' has to be ones, then zeros", b, mask.name));
    }
  }
  return sizes;
}

absl::StatusOr<TokenRows> ReadTokenRows(const Tensor& ids, const Tensor* mask,
                                        const TokenLimits& limits) {
  RETURN_IF_ERROR(CheckNumRows(ids));
  const auto T = static_cast<size_t>(ids.shape[1]);
  std::vector<size_t> sizes(static_cast<size_t>(ids.shape[0]), T);
  if (mask != nullptr) {
    ASSIGN_OR_RETURN(sizes, ReadMask(*mask, ids.shape));
  }
  const std::vector<int64_t> values = ValuesOf<int64_t>(ids);
  TokenRows rows;
  for (size_t b = 0; b < sizes.size(); ++b) {
    if (sizes[b] < static_cast<size_t>(limits.least_tokens) ||
        sizes[b] > static_cast<size_t>(limits.most_tokens)) {
      return absl::InvalidArgumentError(fmt::format(
          "row {} of input '{}' has {} tokens; expected {} to {}", b, ids.name,
          sizes[b], limits.least_tokens, limits.most_tokens));
    }
    for (const int64_t id : std::span(values).subspan(b * T, sizes[b])) {
      if (id < 0 || id >= limits.vocab_size) {
        return absl::InvalidArgumentError(
            fmt::format("input '{}' has the id {}; ids are 0 to {}", ids.name,
                        id, limits.vocab_size - 1));
      }
      rows.ids.push_back(static_cast<int32_t>(id));
    }
    rows.offsets.push_back(static_cast<uint32_t>(rows.ids.size()));
  }
  return rows;
}

absl::StatusOr<size_t> AnswerElements(const std::vector<int64_t>& shape) {
  size_t elements = 1;
  for (const int64_t dim : shape) {
    elements *= static_cast<size_t>(dim);
    if (elements > kMaxAnswer) {
      return absl::InvalidArgumentError(
          fmt::format("the answer of shape [{}] would have more than {} "
                      "elements; ask for fewer rows at once",
                      fmt::join(shape, ","), kMaxAnswer));
    }
  }
  return elements;
}

absl::StatusOr<Tensors> WriteTokenRows(const TokenRows& rows, int32_t pad_id) {
  const size_t B = rows.size();
  size_t T = 0;
  for (size_t b = 0; b < B; ++b) T = std::max(T, rows.row(b).size());
  const std::vector<int64_t> shape = {static_cast<int64_t>(B),
                                      static_cast<int64_t>(T)};
  RETURN_IF_ERROR(AnswerElements(shape).status());
  std::vector<int64_t> ids(B * T, pad_id);
  std::vector<int64_t> mask(B * T);
  for (size_t b = 0; b < B; ++b) {
    const std::span<const int32_t> row = rows.row(b);
    std::copy(row.begin(), row.end(),
              ids.begin() + static_cast<std::ptrdiff_t>(b * T));
    std::fill_n(mask.begin() + static_cast<std::ptrdiff_t>(b * T), row.size(),
                1);
  }
  Tensors tensors;
  tensors.push_back(MakeTensor(kInputIds, Datatype::kInt64, shape, ids));
  tensors.push_back(MakeTensor(kAttentionMask, Datatype::kInt64, shape, mask));
  return tensors;
}

}  // namespace quaver
