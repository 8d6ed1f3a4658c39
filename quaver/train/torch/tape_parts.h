// What the files of the tape share: typed views, loops, gradients.
#pragma once

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "quaver/base/check.h"
#include "quaver/train/fused.h"
#include "quaver/train/torch/tape.h"

namespace quaver {

// Elements that are worth a thread.
inline constexpr int64_t kGrain = 1 << 14;

// Calls run(T()) with float or Bf16.
template <typename Run>
void ForType(at::ScalarType type, const Run& run) {
  if (type == at::kFloat) {
    run(float());
  } else {
    QUAVER_CHECK(type == at::kBFloat16);
    run(Bf16());
  }
}

template <typename T>
T* Data(const at::Tensor& tensor) {
  if (!tensor.defined()) return nullptr;
  QUAVER_CHECK(tensor.is_contiguous());
  return static_cast<T*>(tensor.data_ptr());
}

// body(begin, end) over rows of `width` elements.
template <typename Body>
void ForRows(int64_t rows, int64_t width, const Body& body) {
  at::parallel_for(0, rows, std::max<int64_t>(1, kGrain / width), body);
}

inline void AddGradient(const Ref& node, const at::Tensor& gradient) {
  if (node->gradient.defined()) {
    node->gradient.add_(gradient);
  } else {
    node->gradient = gradient;
  }
}

inline void AddColumns(const Weight& weight, const at::Tensor& x) {
  auto* sums = Data<float>(weight.gradient);
  ForType(x.scalar_type(), [&](auto type) {
    using T = decltype(type);
    at::parallel_for(0, x.size(1), 32, [&](int64_t begin, int64_t end) {
      AddColumnSums(Data<T>(x), x.size(0), x.size(1), begin, end, sums);
    });
  });
}

inline Ref MakeNode(at::Tensor value) {
  return std::make_shared<Node>(Node{std::move(value), {}});
}

}  // namespace quaver
