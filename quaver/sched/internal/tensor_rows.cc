// See tensor_rows.h.
#include "quaver/sched/internal/tensor_rows.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/ranges.h>

#include "quaver/base/check.h"
#include "quaver/sched/tensors.h"

namespace quaver {
namespace {

void AppendElements(const Tensor& from, Tensor& to) {
  to.strings.insert(to.strings.end(), from.strings.begin(), from.strings.end());
  to.raw.insert(to.raw.end(), from.raw.begin(), from.raw.end());
}

Tensor Join(std::span<const Tensor* const> tensors) {
  QUAVER_CHECK(!tensors.empty());
  Tensor joined;
  joined.name = tensors[0]->name;
  joined.datatype = tensors[0]->datatype;
  size_t num_strings = 0;
  size_t num_bytes = 0;
  for (const Tensor* tensor : tensors) {
    num_strings += tensor->strings.size();
    num_bytes += tensor->raw.size();
  }
  joined.strings.reserve(num_strings);
  joined.raw.reserve(num_bytes);
  for (const Tensor* tensor : tensors) AppendElements(*tensor, joined);
  return joined;
}

// Rows [begin, begin + count) of `rows`.
Tensor Part(const Tensor& tensor, int64_t begin, int64_t count, int64_t rows) {
  Tensor part;
  part.name = tensor.name;
  part.datatype = tensor.datatype;
  part.shape = tensor.shape;
  part.shape[0] = count;
  const auto copy = [&](const auto& from, auto& to) {
    const auto a_row = static_cast<int64_t>(from.size()) / rows;
    to.assign(from.begin() + begin * a_row,
              from.begin() + (begin + count) * a_row);
  };
  copy(tensor.strings, part.strings);
  copy(tensor.raw, part.raw);
  return part;
}

}  // namespace

absl::StatusOr<int> NumRows(const Tensors& request) {
  if (request.empty()) {
    return absl::InvalidArgumentError("the request has no inputs");
  }
  constexpr int64_t kMaxRows = 1 << 30;
  const std::vector<const Tensor*> sorted = ByName(request);
  for (size_t i = 0; i < sorted.size(); ++i) {
    const Tensor& tensor = *sorted[i];
    if (i > 0 && sorted[i - 1]->name == tensor.name) {
      return absl::InvalidArgumentError(
          fmt::format("input {} is there twice", tensor.name));
    }
    if (!HasItsElements(tensor)) {
      return absl::InvalidArgumentError(
          fmt::format("input {} does not have the elements of its shape [{}]",
                      tensor.name, fmt::join(tensor.shape, ", ")));
    }
    if (tensor.shape.empty() || tensor.shape[0] < 1 ||
        tensor.shape[0] > kMaxRows || tensor.shape[0] != sorted[0]->shape[0]) {
      return absl::InvalidArgumentError(fmt::format(
          "input {} has shape [{}]: dimension 0 is the batch's, at least 1 and "
          "the same for all inputs",
          tensor.name, fmt::join(tensor.shape, ", ")));
    }
  }
  return static_cast<int>(sorted[0]->shape[0]);
}

Tensor JoinRows(std::span<const Tensor* const> tensors) {
  Tensor joined = Join(tensors);
  joined.shape = tensors[0]->shape;
  joined.shape[0] = 0;
  for (const Tensor* tensor : tensors) joined.shape[0] += tensor->shape[0];
  return joined;
}

Tensor JoinElements(std::span<const Tensor* const> tensors) {
  Tensor joined = Join(tensors);
  joined.shape = {0};
  for (const Tensor* tensor : tensors) joined.shape[0] += NumElements(*tensor);
  return joined;
}

absl::StatusOr<std::vector<Tensors>> PartRows(const Tensors& tensors,
                                              std::span<const int> rows) {
  const int64_t all =
      std::accumulate(rows.begin(), rows.end(), static_cast<int64_t>(0));
  for (const Tensor& tensor : tensors) {
    if (tensor.shape.empty() || tensor.shape[0] != all ||
        !HasItsElements(tensor)) {
      return absl::InternalError(
          fmt::format("output {} has shape [{}]; it was asked for {} rows",
                      tensor.name, fmt::join(tensor.shape, ", "), all));
    }
  }
  std::vector<Tensors> parts;
  int64_t begin = 0;
  for (const int count : rows) {
    Tensors& part = parts.emplace_back();
    for (const Tensor& tensor : tensors) {
      part.push_back(Part(tensor, begin, count, all));
    }
    begin += count;
  }
  return parts;
}

}  // namespace quaver
