// Tensors as rows along dimension 0: counted, joined, parted.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "quaver/base/status.h"
#include "quaver/sched/servable.h"

namespace quaver {

// Rows of a request: dimension 0 of all its tensors. InvalidArgument, naming
// the tensor, when there is none or another number of them, when a tensor does
// not have the elements that its shape says, or is there twice.
absl::StatusOr<int> NumRows(const Tensors& request);

// Row after row of one after the other. REQUIRES: one kind, one at least.
Tensor JoinRows(std::span<const Tensor* const> tensors);
// Element after element, with one dimension.
Tensor JoinElements(std::span<const Tensor* const> tensors);

// A part for each of `rows`, in order. Internal, naming the tensor, when one
// does not have sum(rows) of them.
absl::StatusOr<std::vector<Tensors>> PartRows(const Tensors& tensors,
                                              std::span<const int> rows);

}  // namespace quaver
